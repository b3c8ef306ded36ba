package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/fileproxy"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestChangedModule changes a file of a linked module in the module cache, which the go
// command compiles without a word. Whatever brought the module in, the image is refused and
// the error names module and file; once it is set right, the image is made again.
func TestChangedModule(t *testing.T) {
	for name, test := range map[string]struct {
		linked string // the module whose code is compiled
		change func(t *testing.T, repo, fork string)
		env    string
	}{
		"required": {linked: "lib"},
		"replaced by another module": {linked: "fork", change: func(t *testing.T, repo, fork string) {
			edit(t, repo, "go.mod", "\nreplace example.com/lib => example.com/fork "+fork+"\n")
		}},
		"in a workspace with go.work.sum": {linked: "lib", change: func(t *testing.T, repo, _ string) {
			edit(t, repo, "go.work", "go 1.26.0\n\nuse .\n")
		}},
		"with -mod=mod": {linked: "lib", env: "GOFLAGS=-modcacherw -mod=mod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, modcache := t.TempDir(), t.TempDir()
			versions := map[string]string{}
			for _, name := range []string{"lib", "fork"} {
				dir := t.TempDir()
				edit(t, dir, "go.mod", "module example.com/"+name+"\n\ngo 1.26.0\n")
				edit(t, dir, "lib.go", "package lib\n\nconst Text = \""+strings.Repeat(name, 20)+"\"\n")
				edit(t, dir, "LICENSE", "nobody's\n")
				git(t, dir, "init", "-q", "-b", "main")
				m, err := fileproxy.Publish(proxy, dir)
				ok(t, err)
				versions[name] = m.Version
			}
			more, err := fileproxy.Environment(proxy, modcache)
			ok(t, err)
			env := slices.Concat(environment(), more)
			if test.env != "" {
				env = append(env, test.env)
			}
			repo := filepath.Join(t.TempDir(), "repo")
			ok(t, os.Mkdir(repo, 0o755))
			edit(t, repo, "go.mod", "module example.com/svc\n\ngo 1.26.0\n\nrequire example.com/lib "+versions["lib"]+"\n")
			edit(t, repo, "main.go", "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Text) }\n")
			if test.change != nil {
				test.change(t, repo, versions["fork"])
			}
			list := testtool.Command(t, "go", "list", "-mod=mod", "-deps", ".")
			if name == "in a workspace with go.work.sum" {
				list = testtool.Command(t, "go", "list", "-deps", ".")
			}
			list.Dir, list.Env = repo, env
			if out, err := list.CombinedOutput(); err != nil {
				t.Fatalf("go list: %v: %s", err, out)
			}
			if _, err := os.Stat(filepath.Join(repo, "go.work.sum")); (err == nil) != strings.Contains(name, "go.work.sum") {
				t.Fatalf("go.work.sum: %v", err)
			}
			git(t, repo, "init", "-q", "-b", "main")
			git(t, repo, "add", "-A")
			git(t, repo, "commit", "-q", "-m", "a commit")

			o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Cache: t.TempDir(), Env: env, Platforms: []string{"linux/amd64"}}}
			first, err := build.Image(t.Context(), o.image())
			ok(t, err)
			file := filepath.Join(modcache, "example.com", test.linked+"@"+versions[test.linked], "lib.go")
			ok(t, os.Chmod(file, 0o644)) // the go command makes it read-only
			flip(t, file)
			_, err = build.Image(t.Context(), o.image())
			if err == nil || !strings.Contains(err.Error(), "check module example.com/"+test.linked+" "+versions[test.linked]+": it does not match go.sum: "+file+" was changed") {
				t.Errorf("the error is %v", err)
			}
			flip(t, file)
			again, err := build.Image(t.Context(), o.image())
			ok(t, err)
			if first.Images[0].Digest != again.Images[0].Digest {
				t.Errorf("the image is %s, and was %s", again.Images[0].Digest, first.Images[0].Digest)
			}
		})
	}
}

// edit writes a file, at the end of what it has.
func edit(t *testing.T, dir, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	ok(t, err)
	_, err = f.WriteString(text)
	ok(t, err)
	ok(t, f.Close())
}

// A release checks a module after all platforms were compiled from it.
func TestModuleThatChangesBetweenPlatforms(t *testing.T) {
	testtool.NotShort(t)
	proxy, modcache := t.TempDir(), t.TempDir()
	lib := t.TempDir()
	edit(t, lib, "go.mod", "module example.com/lib\n\ngo 1.26.0\n")
	edit(t, lib, "lib.go", "package lib\n\nconst Text = \""+strings.Repeat("lib", 20)+"\"\n")
	git(t, lib, "init", "-q", "-b", "main")
	m, err := fileproxy.Publish(proxy, lib)
	ok(t, err)
	more, err := fileproxy.Environment(proxy, modcache)
	ok(t, err)
	r := newSourceRepo(t, map[string]string{
		"go.mod":  "module example.com/svc\n\ngo 1.26.0\n\nrequire example.com/lib " + m.Version + "\n",
		"main.go": "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.Text) }\n",
	})
	r.env = append(r.env, more...)
	list := testtool.Command(t, "go", "list", "-mod=mod", "-deps", ".")
	list.Dir, list.Env = r.dir, r.env
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	r.commit("with go.sum")
	r.run("git", "tag", "v1.1.0")
	file := filepath.Join(modcache, "example.com", "lib@"+m.Version, "lib.go")
	real := must(exec.LookPath("go"))
	bin := t.TempDir()
	// This go compiles the second platform from another module, when the first one is done.
	script := "#!/bin/sh\nif [ \"$1\" = build ]; then\n" +
		"if mkdir '" + bin + "/first' 2>/dev/null; then '" + real + "' \"$@\"; code=$?; touch '" + bin + "/done'; exit $code; fi\n" +
		"while ! [ -e '" + bin + "/done' ]; do sleep 0.1; done; sleep 2\n" +
		"chmod 644 '" + file + "'; echo '// changed' >>'" + file + "'\nfi\nexec '" + real + "' \"$@\"\n"
	ok(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o755))
	r.env = append(r.env, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	_, err = build.Release(t.Context(), r.options(func(o *settings) { o.Platforms = []string{"linux/amd64", "linux/arm64"} }).release())
	refused(t, err, "check module example.com/lib "+m.Version+": it does not match go.sum")
}
