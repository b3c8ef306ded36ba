package layerfs

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// entry is a line of a tar: "d dir", "f file content", "l link target" for a symlink,
// "h link file" for a hard link, "c device".
func entry(t testing.TB, w *tar.Writer, line string) {
	t.Helper()
	words := append(strings.SplitN(line, " ", 3), "")
	h := &tar.Header{Name: words[1], Mode: 0o644, Linkname: words[2]}
	switch words[0] {
	case "d":
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
	case "t":
		h.Typeflag, h.Mode = tar.TypeDir, 0o1777
	case "f":
		h.Typeflag, h.Linkname, h.Size = tar.TypeReg, "", int64(len(words[2]))
	case "l":
		h.Typeflag = tar.TypeSymlink
	case "h":
		h.Typeflag = tar.TypeLink
	case "c":
		h.Typeflag, h.Linkname = tar.TypeChar, ""
	}
	err := w.WriteHeader(h)
	if err == nil && h.Size > 0 {
		_, err = io.WriteString(w, words[2])
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

func tarOf(t testing.TB, lines ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, line := range lines {
		entry(t, w, line)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// layer scans a tar, by way of the JSON in which it is kept.
func layer(t testing.TB, lines ...string) Layer {
	t.Helper()
	scanned, err := Scan(bytes.NewReader(tarOf(t, lines...)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(scanned)
	if err != nil {
		t.Fatal(err)
	}
	var kept Layer
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	return kept
}

// What a stack shows (OCI image-spec, layer.md): paths with the sizes of files, or what is
// at a path through links.
func TestStack(t *testing.T) {
	for name, tc := range map[string]struct {
		layers [][]string
		has    map[string]string // path: where it is really; empty if it is nowhere
	}{
		"a file hides another": {
			[][]string{{"f a/b old"}, {"f a/b newer"}}, map[string]string{"/a/b": "/a/b", "/a": "/a"},
		},
		"a whiteout takes a file away, and no other": {
			[][]string{{"f a/b x", "f a/bb x"}, {"f a/.wh.b "}}, map[string]string{"/a/b": "", "/a/bb": "/a/bb"},
		},
		"a whiteout takes a folder away with all in it": {
			[][]string{{"d a", "f a/b/c x", "f ab x"}, {"f .wh.a "}}, map[string]string{"/a": "", "/a/b/c": "", "/a/b": "", "/ab": "/ab"},
		},
		"a whiteout is about the layers below, wherever it is": {
			[][]string{{"f a/b x"}, {"f a/b new", "f a/.wh.b "}}, map[string]string{"/a/b": "/a/b"},
		},
		"an opaque folder has what its own layer has": {
			[][]string{{"f a/b x", "f a/c/d x"}, {"f a/e x", "f a/.wh..wh..opq "}}, map[string]string{"/a/b": "", "/a/c/d": "", "/a/c": "", "/a/e": "/a/e"},
		},
		"an opaque root": {
			[][]string{{"f a x"}, {"f .wh..wh..opq ", "f b x"}}, map[string]string{"/a": "", "/b": "/b", "/": "/"},
		},
		"whiteouts are no files": {
			[][]string{{"f a/.wh.b "}}, map[string]string{"/a/.wh.b": ""},
		},
		"a whiteout for what is not there": {
			[][]string{{"f a x"}, {"f .wh.b "}, {"f b x"}}, map[string]string{"/a": "/a", "/b": "/b"},
		},
		"a file in place of a folder": {
			[][]string{{"f a/b x"}, {"d a"}, {"f a x"}}, map[string]string{"/a": "/a", "/a/b": ""},
		},
		"a folder in place of a file": {
			[][]string{{"f a x"}, {"d a", "f a/b x"}}, map[string]string{"/a/b": "/a/b"},
		},
		"a device in place of a file": {
			[][]string{{"f a x"}, {"c a"}}, map[string]string{"/a": "/a"},
		},
		"symlinks: relative, absolute, to a folder, in a row": {
			[][]string{{"f usr/lib/x x", "l lib usr/lib", "l y /lib/x", "l usr/z ../y"}},
			map[string]string{"/lib/x": "/usr/lib/x", "/y": "/usr/lib/x", "/usr/z": "/usr/lib/x", "/lib": "/usr/lib"},
		},
		"a symlink does not leave the image": {
			[][]string{{"f etc/x x", "l a/b ../../../../etc/x"}}, map[string]string{"/a/b": "/etc/x", "/../../etc/x": "/etc/x"},
		},
		"a symlink to itself, a circle, one that leads nowhere": {
			[][]string{{"l a a", "l b c", "l c b", "l d nowhere"}}, map[string]string{"/a": "", "/b": "", "/d": "", "/a/x": ""},
		},
		"a file is no folder": {
			[][]string{{"f a x"}}, map[string]string{"/a/b": ""},
		},
		"a hard link is the file, also of a layer below": {
			[][]string{{"f a xyz"}, {"h b a", "h c /b"}, {"f .wh.a "}}, map[string]string{"/a": "", "/b": "/b", "/c": "/c"},
		},
		"a layer writes into a folder through the symlink below": {
			[][]string{{"d usr/bin", "l bin usr/bin", "f usr/bin/old x"}, {"f bin/sh x", "f bin/.wh.old ", "h bin/hard bin/sh"}},
			map[string]string{"/usr/bin/sh": "/usr/bin/sh", "/bin/sh": "/usr/bin/sh", "/usr/bin/old": "", "/bin/hard": "/usr/bin/hard"},
		},
		"names are cleaned": {
			[][]string{{"f ./a/../b x", "f ../../c x", "f //d x"}}, map[string]string{"/b": "/b", "/c": "/c", "/d": "/d", "/a": ""},
		},
	} {
		var layers []Layer
		for _, lines := range tc.layers {
			layers = append(layers, layer(t, lines...))
		}
		fs := stacked(layers...)
		for p, want := range tc.has {
			e, ok := fs.Lookup(p)
			if ok != (want != "") || e.Path != want {
				t.Errorf("%s: at %s is %q (%t), want %q", name, p, e.Path, ok, want)
			}
		}
	}

	fs := stacked(layer(t, "f a old"), layer(t, "f a newer", "h b a", "c c"))
	if e, _ := fs.Lookup("/b"); e.Size != 5 || e.Type != tar.TypeReg || !fs.Has("/b") || fs.Has("/c") || fs.Has("/") || fs.Has("/nowhere") {
		t.Errorf("the hard link is %+v", e)
	}
}

func TestGlob(t *testing.T) {
	fs := stacked(layer(t, "d usr/lib/x", "f usr/lib/x/b.so.1 x", "f usr/lib/x/a.so x", "f usr/lib/x/c/d.so x", "l lib usr/lib"))
	var found []string
	for _, e := range fs.Glob("/lib/x", "*.so*") {
		found = append(found, e.Path)
	}
	if want := []string{"/usr/lib/x/a.so", "/usr/lib/x/b.so.1"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if got := fs.Glob("/nowhere", "*"); got != nil {
		t.Errorf("in no folder there is %v", got)
	}
}

// A layer that is none is an error, and no short list.
func TestMalformedLayer(t *testing.T) {
	good := tarOf(t, "f a "+strings.Repeat("x", 2000), "f b x")
	flipped := bytes.Clone(good)
	flipped[3] ^= 1 // in a header, which has a checksum
	for name, content := range map[string][]byte{
		"no tar":                []byte(strings.Repeat("nothing of the kind ", 100)),
		"cut off in a header":   good[:300],
		"cut off in a file":     good[:1000],
		"cut off before an end": good[:2600],
		"a changed header":      flipped,
		"a whiteout of nothing": tarOf(t, "f a/.wh. "),
		"of the folder":         tarOf(t, "f a/.wh.. "),
		"of the folder above":   tarOf(t, "f a/.wh... "),
	} {
		if got, err := Scan(bytes.NewReader(content)); err == nil || got != nil {
			t.Errorf("%s: Scan gives %v, %v", name, got, err)
		}
	}
	// What follows the end belongs to the blob, and is read.
	long := bytes.NewReader(append(good, make([]byte, 5000)...))
	if got, err := Scan(long); err != nil || len(got) != 2 || long.Len() != 0 {
		t.Errorf("Scan gives %d entries, %v, and leaves %d bytes", len(got), err, long.Len())
	}
	if got, err := Scan(bytes.NewReader(nil)); err != nil || len(got) != 0 {
		t.Errorf("of nothing, Scan gives %v, %v", got, err)
	}
}

// Of ELF files it is known what they ask for; a damaged one is a file like others.
func TestELF(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("there is no ELF file here")
	}
	fs := stacked(layer(t, "f app "+string(self), "f short \x7fELF", "f bad "+string(self[:2000]), "f text x"))
	if e, _ := fs.Lookup("/app"); e.ELF == nil || e.ELF.Machine == 0 || e.Size != int64(len(self)) {
		t.Errorf("the program is %+v", e)
	}
	for _, name := range []string{"/short", "/bad", "/text"} {
		if e, ok := fs.Lookup(name); !ok || e.ELF != nil {
			t.Errorf("%s is %+v", name, e)
		}
	}
}

const passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nnobody:x:65534:65534::/nonexistent:/sbin/nologin\nbroken\n"

// What a base serves, as Go's standard library would find it.
func TestCovers(t *testing.T) {
	for name, tc := range map[string]struct {
		lines []string
		uid   string
		want  []string
	}{
		"nothing": {nil, "0", nil},
		"certificates, in one of the places, through a link": {
			[]string{"f etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem x"}, "0", []string{plan.NeedCACertificates},
		},
		"an empty bundle is none":       {[]string{"f etc/ssl/cert.pem "}, "0", nil},
		"a link to a bundle":            {[]string{"f etc/x x", "l etc/ssl/cert.pem ../x"}, "0", []string{plan.NeedCACertificates}},
		"a folder of single ones":       {[]string{"f etc/ssl/certs/a.pem x"}, "0", nil},
		"zones":                         {[]string{"f usr/share/zoneinfo/UTC x"}, "0", []string{plan.NeedZoneinfo}},
		"a service without a protocol":  {[]string{"f etc/services x"}, "0", nil},
		"services":                      {[]string{"f etc/services x", "f etc/protocols x"}, "0", []string{plan.NeedServices}},
		"media types":                   {[]string{"f etc/mime.types x"}, "0", []string{plan.NeedMIMETypes}},
		"a folder for temporary files":  {[]string{"t tmp"}, "0", []string{plan.NeedTmp}},
		"one that only root writes to":  {[]string{"d tmp"}, "0", nil},
		"a user and his home":           {[]string{"f etc/passwd " + passwd, "f etc/group x", "d home/alice"}, "1000", []string{plan.NeedHome, plan.NeedUsers}},
		"a user whose home is missing":  {[]string{"f etc/passwd " + passwd, "f etc/group x"}, "65534", []string{plan.NeedUsers}},
		"a user that is not there":      {[]string{"f etc/passwd " + passwd, "f etc/group x"}, "65532", nil},
		"users without groups":          {[]string{"f etc/passwd " + passwd, "d root"}, "0", []string{plan.NeedHome}},
		"a passwd that is a whiteout's": {[]string{"f etc/.wh.passwd ", "f etc/group x"}, "0", nil},
	} {
		got := stacked(layer(t, tc.lines...)).Covers(tc.uid)
		slices.Sort(got)
		slices.Sort(tc.want)
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: it serves %q, want %q", name, got, tc.want)
		}
	}
	users, groups := stacked(layer(t, "f etc/passwd "+passwd, "f etc/group x")).Users()
	if string(users) != passwd || string(groups) != "x" {
		t.Errorf("the users are %q, the groups %q", users, groups)
	}
}

// FuzzScan reads layers: whatever is in them, a stack of two ends, and all that it shows
// has a clean path.
func FuzzScan(f *testing.F) {
	f.Add(tarOf(f, "d a", "f a/b x", "l c ../a", "h d a/b"), tarOf(f, "f c/.wh.b ", "f c/.wh..wh..opq ", "f c/e x"))
	f.Add(tarOf(f, "l a a/a", "l b /b/.."), tarOf(f, "f a/x x", "h b/y a/x"))
	f.Fuzz(func(t *testing.T, below, above []byte) {
		var layers []Layer
		for _, b := range [][]byte{below, above} {
			l, err := Scan(bytes.NewReader(b))
			if err != nil {
				return
			}
			layers = append(layers, l)
		}
		fs := stacked(layers...)
		for p, e := range fs.entries() {
			if p != e.Path || !strings.HasPrefix(p, "/") || strings.Contains(p+"/", "/../") {
				t.Errorf("%q is at %q", e.Path, p)
			}
			if found, ok := fs.Lookup(p); ok && found.Type == tar.TypeSymlink {
				t.Errorf("%q leads to a link", p)
			}
		}
		fs.Covers("0")
		fs.Glob("/", "*")
	})
}
