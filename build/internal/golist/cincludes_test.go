package golist

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestCIncludesAbove has what C includes from above its module, and what #cgo lines name. What
// no commit has is found, in the repository and outside.
func TestCIncludesAbove(t *testing.T) {
	testtool.NotShort(t)
	native := func(preamble string) string {
		return "package native\n\n/*\n" + preamble + "\n*/\nimport \"C\"\n"
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		// c are the words of #cgo lines of svc/native.
		c    []string
		want []string
	}{
		{name: "nothing", files: map[string]string{"svc/native/n.go": native("#include <stdio.h>\n#include \"n.h\"")}},
		{name: "above the module", files: map[string]string{"svc/native/n.go": native("  #  include \"../../x.h\"")}, want: []string{"x.h"}},
		{name: "outside of the repository", files: map[string]string{"svc/native/n.go": native("#include \"../../../y.h\"")}, want: []string{"../y.h"}},
		{name: "committed", files: map[string]string{"svc/native/n.go": native("#include \"../../tracked.h\"")}},
		{name: "by a header deep below", files: map[string]string{"svc/native/a/b/n.h": "#include \"../../../../x.h\"\n"}, want: []string{"x.h"}},
		{name: "by a header above", files: map[string]string{"svc/n.c": "#include \"../chain.h\"\n"}, want: []string{"x.h"}},
		{name: "by a macro", files: map[string]string{"svc/n.c": "#define FILE \"../x.h\"\n#include FILE\n"}, want: []string{"x.h"}},
		{name: "by the assembler", files: map[string]string{"svc/n.S": ".incbin \"../x.h\"\n"}, want: []string{"x.h"}},
		{name: "by #embed", files: map[string]string{"svc/n.c": "#embed \"../x.h\"\n"}, want: []string{"x.h"}},
		{name: "that is not there", files: map[string]string{"svc/n.c": "#include \"../none.h\"\n"}},
		{name: "a text", files: map[string]string{"svc/n.c": "char *s = \"../x.h\";\n", "svc/n.md": "# <../x.h>\n"}},
		{name: "a folder above", c: []string{"-I{native}/../../include"}, want: []string{"include/deep/z.h", "include/z.h"}},
		{name: "a folder above, by a word of its own", c: []string{"-isystem", "../../include"}, want: []string{"include/deep/z.h", "include/z.h"}},
		{name: "a name from there", files: map[string]string{"svc/n.c": "#include <../x.h>\n"}, c: []string{"-I{native}/../../include"}, want: []string{"include/deep/z.h", "include/z.h", "x.h"}},
		{name: "a folder outside", c: []string{"-L{native}/../../../lib", "-lz"}, want: []string{"../lib"}},
		{name: "an archive above", c: []string{"{native}/../../lib.a"}, want: []string{"lib.a"}},
		{name: "the machine's", c: []string{"-I/usr/include", "-L/usr/lib", "-O2", "-DX=1", "-lm", "-Wl,-rpath,/usr/lib"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRepo(t, "hello")
			r.write("tracked.h", "")
			r.write("chain.h", "#include \"x.h\"\n#include \"./../repo/x.h\"\n")
			r.write("svc/native/n.h", "")
			for name, content := range test.files {
				r.write(name, content)
			}
			r.commit()
			for _, name := range []string{"x.h", "../y.h", "include/z.h", "include/deep/z.h", "../lib/libz.a", "lib.a"} {
				r.write(name, "")
			}
			tree := r.tree()
			dir := filepath.Join(r.dir, "svc")
			p := &listed{Dir: filepath.Join(dir, "native")}
			for _, word := range test.c { // ${SRCDIR}, as the go command writes it
				p.CgoCFLAGS = append(p.CgoCFLAGS, strings.ReplaceAll(word, "{native}", p.Dir))
			}
			folders, named := tree.cFolders(p)
			c := Compiled{Trees: append([]string{dir}, folders...), CFolders: folders}
			commit := r.head()
			below, err := Below(t.Context(), tree, []Compiled{c}, commit)
			if err != nil {
				t.Fatal(err)
			}
			var files []source.File
			for _, name := range append(below, named...) {
				files = append(files, source.File{Path: name})
			}
			differences, err := commit.Compare(t.Context(), files, nil)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, d := range differences {
				found = append(found, d.File)
			}
			slices.Sort(found)
			if !slices.Equal(found, test.want) {
				t.Errorf("%q, want %q", found, test.want)
			}
		})
	}
}
