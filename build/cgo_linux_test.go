package build_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// resolverModule is a copy of the module resolver, which calls the C library.
func resolverModule(t *testing.T) string {
	t.Helper()
	_, err := exec.LookPath("gcc")
	testtool.Require(t, err == nil && runtime.GOARCH == "amd64", "C compiler for linux/amd64")
	repo := filepath.Join(t.TempDir(), "repo")
	ok(t, os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "resolver"))))
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	return repo
}

// TestCgoInDocker builds a program with cgo on distroless/base, of the real archive, and
// runs it.
func TestCgoInDocker(t *testing.T) {
	requireDocker(t)
	repo, mirror := resolverModule(t), debiantest.Mirror(t)
	o := options(t, repo, func(o *settings) {
		o.Config.Defaults.Base, o.Config.Defaults.Cgo = plan.BaseBase, plan.CgoOn
		o.Config.Debian.Mirror = mirror
		o.Load = true
	})
	must(build.Lock(t.Context(), o.Options))
	commit := func() {
		git(t, repo, "add", "-A")
		git(t, repo, "commit", "-q", "-m", "locked")
	}
	commit()
	r := image(t, repo, o)
	p := r.Images[0].Platforms[0]
	want := []report.Library{
		{Name: "/lib64/ld-linux-x86-64.so.2", Path: "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", Package: "libc6"},
		{Name: "libc.so.6", Path: "/usr/lib/x86_64-linux-gnu/libc.so.6", Package: "libc6"},
	}
	if p.Binary.Static || !slices.Equal(p.Binary.Libraries, want) {
		t.Errorf("static %t, linked with %v; want %v", p.Binary.Static, p.Binary.Libraries, want)
	}
	if c := r.Plan.Toolchain.C; len(c) != 1 || !strings.HasPrefix(c[0].Target, "x86_64-") || c[0].Version == "" {
		t.Errorf("the plan's C compilers: %+v", c)
	}
	for _, n := range p.Needs {
		if !n.InBase && n.Name != plan.NeedExec {
			t.Errorf("%s is not in the base", n.Name)
		}
	}
	for _, file := range []string{p.SBOM.SPDX, p.SBOM.CycloneDX} {
		sbom := string(must(os.ReadFile(filepath.Join(r.Dist, file))))
		for _, want := range []string{"thimble:cgo", r.Plan.Toolchain.C[0].Version, "/usr/lib/x86_64-linux-gnu/libc.so.6 pkg:deb/debian/libc6@"} {
			if !strings.Contains(sbom, want) {
				t.Errorf("%s does not have %s", file, want)
			}
		}
	}
	scanned(t, r)
	run := func(r *build.Result) string {
		t.Helper()
		ref := r.Images[0].Reference
		t.Cleanup(func() { removeImage(ref) })
		return docker(t, "run", "--rm", "--network=none", "--add-host=db.test:192.0.2.7", "--cap-drop=ALL", "--read-only", ref, "db.test")
	}
	// __DATE__ is the same on every day, or the image would not be.
	if got := run(r); got != "db.test 192.0.2.7\nuser nonroot\ncompiled Jan  1 1970\n" {
		t.Errorf("it says %q", got)
	}

	// Another folder, empty caches: the same bytes.
	other := filepath.Join(t.TempDir(), "another", "folder")
	git(t, repo, "clone", "-q", repo, other)
	again := o
	again.Load, again.Config.Source = false, r.Plan.Source
	again.Cache, again.Env = t.TempDir(), append(slices.Clone(o.Env), "GOCACHE="+t.TempDir(), "TMPDIR="+t.TempDir(), "CPATH=/nowhere", "LD_RUN_PATH=/nowhere")
	if got := image(t, other, again); got.Images[0].Digest != r.Images[0].Digest {
		t.Errorf("another folder gives %s, not %s", got.Images[0].Digest, r.Images[0].Digest)
	}

	// A library that the base lacks, until its package is added.
	o.Config.BuildTags = []string{"threads"}
	_, err := build.Image(t.Context(), o.image())
	if err == nil || !strings.Contains(err.Error(), `/app/resolver needs libgomp.so.1, but there is none; add libgomp1 `) || !strings.Contains(err.Error(), `to Packages and run "mage lock"`) {
		t.Errorf("without libgomp: %v", err)
	}
	o.Config.Defaults.Packages = []string{"libgomp1"}
	must(build.Lock(t.Context(), o.Options))
	commit()
	r = image(t, repo, o)
	if got := r.Images[0].Platforms[0].Binary.Libraries; !slices.ContainsFunc(got, func(l report.Library) bool { return l.Name == "libgomp.so.1" && l.Package == "libgomp1" }) {
		t.Errorf("linked with %v", got)
	}
	if got := run(r); !strings.HasPrefix(got, "db.test 192.0.2.7\n") {
		t.Errorf("with libgomp it says %q", got)
	}
}

// TestDebugWithCgo debugs such a program, on the packages of Debian 12.
func TestDebugWithCgo(t *testing.T) {
	requireDocker(t)
	repo := resolverModule(t)
	ok(t, os.CopyFS(filepath.Join(repo, "magefiles"), os.DirFS(filepath.Join(tickerRepo(t), "magefiles"))))
	o := options(t, repo, func(o *settings) {
		o.Config.Debian = build.DebianConfig{Mirror: debiantest.Mirror(t), Suite: "bookworm"}
		o.Config.Defaults.Base, o.Config.Defaults.Cgo, o.Load = plan.BaseBase, plan.CgoOn, true
	})
	must(build.Lock(t.Context(), o.Options))
	r := must(build.Debug(t.Context(), o.debug(false)))
	if got := r.Images[0].Platforms[0].Binary.Libraries; !slices.Contains(got, report.Library{Name: "libc.so.6", Path: "/lib/x86_64-linux-gnu/libc.so.6", Package: "libc6"}) {
		t.Errorf("linked with %v", got)
	}
	ref := r.Images[0].Reference
	t.Cleanup(func() { removeImage(ref) })
	const session = `printf 'break main.main\ncontinue\nexit\n' | dlv exec /app/resolver --allow-non-terminal-interactive=true`
	if out := docker(t, "run", "--rm", "--entrypoint=/debug/bin/sh", ref, "-c", session); !strings.Contains(out, "> [Breakpoint 1] main.main() ") {
		t.Errorf("the debugger says\n%s", out)
	}
	// The toolbox has its symbols.
	r = must(build.Debug(t.Context(), o.debug(true)))
	t.Cleanup(func() { removeImage(r.Images[0].Reference) })
	if b := r.Images[0].Platforms[0].Binary; b.Symbols == "" {
		t.Errorf("the toolbox's binary: %+v", b)
	}
}

// TestCgoOnImages builds the same on images that lack something, or that do not.
func TestCgoOnImages(t *testing.T) {
	repo := resolverModule(t)
	const lib = "lib/x86_64-linux-gnu/"
	real := func(name string) []byte {
		return must(os.ReadFile(must(filepath.EvalSymlinks(name))))
	}
	loader, libc := real("/lib64/ld-linux-x86-64.so.2"), real("/"+lib+"libc.so.6")
	for name, test := range map[string]struct {
		files  map[string][]byte
		change func(*build.Config)
		want   string
	}{
		"no C library": {map[string][]byte{"etc/os-release": nil}, nil, "needs /lib64/ld-linux-x86-64.so.2, but there is none: the base has no C library, or another one than the C compiler's"},
		"half of one":  {map[string][]byte{"lib64/ld-linux-x86-64.so.2": loader}, nil, "needs libc.so.6, but there is none; choose a base that has it, or add it with Assets"},
		"an older one": {map[string][]byte{lib + "ld-linux-x86-64.so.2": loader, lib + "libc.so.6": oldLibc(t)}, nil,
			"of libc.so.6, but the newest that /" + lib + "libc.so.6 has is GLIBC_2.2.5: the program was compiled for a newer system than the base"},
		"this one": {map[string][]byte{lib + "ld-linux-x86-64.so.2": loader, lib + "libc.so.6": libc}, nil, ""},
		"one of Assets": {map[string][]byte{lib + "ld-linux-x86-64.so.2": loader}, func(c *build.Config) {
			c.Defaults.Assets = []build.Asset{{Source: "libc.so.6", Target: "/opt/libc.so.6"}}
			c.Defaults.Runtime.Env = []string{"LD_LIBRARY_PATH=/x:/opt"}
		}, ""},
		"one that its capabilities hide": {map[string][]byte{lib + "ld-linux-x86-64.so.2": loader}, func(c *build.Config) {
			c.Defaults.Assets = []build.Asset{{Source: "libc.so.6", Target: "/opt/libc.so.6"}}
			c.Defaults.Runtime.Env = []string{"LD_LIBRARY_PATH=/x:/opt"}
			c.Defaults.Capabilities = []string{"cap_net_bind_service"}
		}, "needs libc.so.6, but a program with capabilities does not load /opt/libc.so.6, because LD_LIBRARY_PATH and $ORIGIN are ignored; link with an absolute folder (-Wl,-rpath=/opt)"},
		"without any cgo":  {map[string][]byte{"etc/os-release": nil}, func(c *build.Config) { c.BuildTags = []string{"pure"} }, ""},
		"nothing asked of": {map[string][]byte{"etc/os-release": nil}, func(c *build.Config) { c.Defaults.Cgo = plan.CgoOff }, "example.com/resolver/native uses cgo, but image resolver is compiled without it; choose a base with a C library, such as distroless/base, and set Cgo to"},
	} {
		t.Run(name, func(t *testing.T) {
			ok(t, os.WriteFile(filepath.Join(repo, "libc.so.6"), libc, 0o755))
			base := filepath.Join(repo, "base")
			ok(t, os.RemoveAll(base))
			path := must(layout.Write(base, empty.Index))
			ok(t, path.AppendImage(imageOf(t, "amd64", test.files)))
			o := options(t, repo, func(o *settings) {
				o.Config.Defaults.Base, o.Config.Defaults.Cgo = "oci:base", plan.CgoOn
			})
			if test.change != nil {
				test.change(&o.Config)
			}
			must(build.Lock(t.Context(), o.Options))
			r, err := build.Image(t.Context(), o.image())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if err == nil && r.Images[0].Platforms[0].Binary.Static != (name == "without any cgo") {
				t.Errorf("binary: %+v", r.Images[0].Platforms[0].Binary)
			}
		})
	}
}

// TestCgoForAnotherMachine compiles for arm64, with the cross compiler that Debian has, on
// the C library that it brings.
func TestCgoForAnotherMachine(t *testing.T) {
	const lib = "/usr/aarch64-linux-gnu/lib/"
	testtool.Program(t, "aarch64-linux-gnu-gcc")
	repo := resolverModule(t)
	files := map[string][]byte{}
	for _, name := range []string{"ld-linux-aarch64.so.1", "libc.so.6"} {
		files["lib/"+name] = must(os.ReadFile(lib + name))
	}
	path := must(layout.Write(filepath.Join(repo, "base"), empty.Index))
	ok(t, path.AppendImage(imageOf(t, "arm64", files)))
	o := options(t, repo, func(o *settings) {
		o.Config.Defaults.Base, o.Config.Defaults.Cgo = "oci:base", plan.CgoOn
		o.Platforms = []string{"linux/arm64"}
	})
	must(build.Lock(t.Context(), o.Options))
	r := image(t, repo, o)
	want := []report.Library{{Name: "/lib/ld-linux-aarch64.so.1", Path: "/lib/ld-linux-aarch64.so.1"}, {Name: "libc.so.6", Path: "/lib/libc.so.6"}}
	if got := r.Images[0].Platforms[0].Binary.Libraries; !slices.Equal(got, want) {
		t.Errorf("linked with %v, want %v", got, want)
	}
	if c := r.Plan.Toolchain.C; len(c) != 1 || c[0].Command != "aarch64-linux-gnu-gcc" || c[0].Target != "aarch64-linux-gnu" {
		t.Errorf("the plan's C compilers: %+v", c)
	}
}

// oldLibc is a C library of long ago.
func oldLibc(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "map"), []byte("GLIBC_2.2.5 { f; };\n"), 0o644))
	ok(t, os.WriteFile(filepath.Join(dir, "c.c"), []byte("void f(void) {}\n"), 0o644))
	gcc := testtool.Command(t, "gcc", "-shared", "-nostdlib", "-Wl,-soname=libc.so.6,--version-script=map", "-o", "libc", "c.c")
	gcc.Dir = dir
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return must(os.ReadFile(filepath.Join(dir, "libc")))
}

// imageOf is an image with files, and with /lib64 as Debian 12 has it.
func imageOf(t *testing.T, architecture string, files map[string][]byte) v1.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(content))})
		if err == nil {
			_, err = w.Write(content)
		}
		ok(t, err)
		if base, found := strings.CutPrefix(name, "lib/x86_64-linux-gnu/ld-"); found {
			ok(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "lib64/ld-" + base, Linkname: "/" + name}))
		}
	}
	ok(t, w.Close())
	layer := must(tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }))
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"}})
	ok(t, err)
	return must(mutate.AppendLayers(img, layer))
}
