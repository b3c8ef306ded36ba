package layerfs

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/internal/capability"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestLinkIsTheDynamicLinkers lays out small systems, and starts a program in each of
// them with the real dynamic linker: Link must find what that finds, and refuse what that
// refuses.
func TestLinkIsTheDynamicLinkers(t *testing.T) {
	testtool.Require(t, runtime.GOARCH == "amd64" && os.Getuid() == 0, "root, for chroot, on amd64")
	made := compileLibraries(t)
	const (
		loader = "/lib64/ld-linux-x86-64.so.2"
		libc   = "/lib/x86_64-linux-gnu/libc.so.6"
		multi  = "/usr/lib/x86_64-linux-gnu/"
	)
	real := func(p string) string {
		p, err := filepath.EvalSymlinks(p)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	// What is there in every case: Debian 12's layout, and that of 13 with its links.
	split := map[string]string{
		"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": real(loader), loader: "-> /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", libc: real(libc),
	}
	merged := map[string]string{
		multi + "ld-linux-x86-64.so.2": real(loader), multi + "libc.so.6": real(libc),
		"/usr/lib64/ld-linux-x86-64.so.2": "-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/lib64": "-> usr/lib64", "/lib": "-> usr/lib",
	}
	// Fedora's: no folder of a name of its own.
	lib64 := map[string]string{loader: real(loader), "/lib64/libc.so.6": real(libc)}
	for name, test := range map[string]struct {
		below   map[string]string
		program string
		files   map[string]string
		env     string // LD_LIBRARY_PATH
		want    string // of the error; empty for none
		// unlike is set where the loader of this machine has another configuration than
		// the one of the layout.
		unlike bool
	}{
		"nothing but libc":               {split, "alone", nil, "", "", false},
		"merged /usr":                    {merged, "alone", nil, "", "", false},
		"no libc":                        {map[string]string{loader: real(loader)}, "alone", nil, "", "/app/program needs libc.so.6, but there is none", false},
		"no dynamic linker":              {nil, "alone", nil, "", "/app/program needs " + loader + ", but there is none", false},
		"static":                         {nil, "static", nil, "", "", false},
		"two libraries":                  {split, "plain", map[string]string{multi + "libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"in /lib":                        {merged, "plain", map[string]string{"/usr/lib/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"behind links":                   {split, "plain", map[string]string{multi + "libbar.so.1": "-> libbar.so.1.2", multi + "libbar.so.1.2": "libbar", multi + "libfoo.so.1": "-> /opt/foo", "/opt/foo": "libfoo2"}, "", "", false},
		"a link that leads nowhere":      {split, "plain", map[string]string{multi + "libbar.so.1": "-> libbar.so.1.2"}, "", "needs libbar.so.1, but there is none", false},
		"a link to itself":               {split, "plain", map[string]string{multi + "libbar.so.1": "-> libbar.so.1"}, "", "needs libbar.so.1, but there is none", false},
		"a library's library is missing": {split, "plain", map[string]string{multi + "libbar.so.1": "libbar"}, "", multi + "libbar.so.1 needs libfoo.so.1, but there is none", false},
		"in a folder nobody looks into":  {split, "plain", map[string]string{"/usr/local/lib/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "needs libbar.so.1", false},
		"an older library":               {split, "plain", map[string]string{multi + "libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo1"}, "", multi + "libbar.so.1 needs FOO_1.10 of libfoo.so.1, but the newest that " + multi + "libfoo.so.1 has is FOO_1.9", false},
		"one without versions":           {split, "plain", map[string]string{multi + "libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo0"}, "", "needs FOO_1.10 of libfoo.so.1, but " + multi + "libfoo.so.1 has no such version", false},
		"for another machine":            {split, "plain", map[string]string{multi + "libbar.so.1": "other", multi + "libfoo.so.1": "libfoo2"}, "", "needs libbar.so.1", false},
		"the right one further on":       {split, "plain", map[string]string{multi + "libbar.so.1": "other", "/usr/lib/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"not a library":                  {split, "plain", map[string]string{multi + "libbar.so.1/": ""}, "", "needs libbar.so.1", false},
		"LD_LIBRARY_PATH":                {split, "plain", map[string]string{"/x/libbar.so.1": "libbar", "/y/libfoo.so.1": "libfoo2"}, "/x:/y", "", false},
		"RUNPATH":                        {split, "runpath", map[string]string{"/opt/lib/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"RUNPATH is not inherited":       {split, "runpath", map[string]string{"/opt/lib/libbar.so.1": "libbar", "/opt/lib/libfoo.so.1": "libfoo2"}, "", "/opt/lib/libbar.so.1 needs libfoo.so.1", false},
		"RPATH is":                       {split, "rpath", map[string]string{"/opt/lib/libbar.so.1": "libbar", "/opt/lib/libfoo.so.1": "libfoo2"}, "", "", false},
		"but not into one with RUNPATH":  {split, "rpath", map[string]string{"/opt/lib/libbar.so.1": "libbar-runpath", "/opt/lib/libfoo.so.1": "libfoo2"}, "", "/opt/lib/libbar.so.1 needs libfoo.so.1", false},
		"RPATH before LD_LIBRARY_PATH":   {split, "rpath", map[string]string{"/opt/lib/libbar.so.1": "libbar", "/opt/lib/libfoo.so.1": "libfoo1", "/x/libfoo.so.1": "libfoo2"}, "/x", "/opt/lib/libfoo.so.1 has is FOO_1.9", false},
		"RUNPATH after LD_LIBRARY_PATH":  {split, "runpath", map[string]string{"/opt/lib/libbar.so.1": "other", "/x/libbar.so.1": "libbar", "/x/libfoo.so.1": "libfoo2"}, "/x", "", false},
		"ORIGIN":                         {split, "origin", map[string]string{"/app/lib/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"LIB":                            {split, "lib", map[string]string{"/opt/lib/x86_64-linux-gnu/libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "", false},
		"lib64":                          {lib64, "plain", map[string]string{"/usr/lib64/libbar.so.1": "libbar", "/lib64/libfoo.so.1": "libfoo2"}, "", "", true},
		"lib64 has no multiarch":         {lib64, "plain", map[string]string{multi + "libbar.so.1": "libbar", multi + "libfoo.so.1": "libfoo2"}, "", "needs libbar.so.1", true},
		"ld.so.conf without a cache":     {split, "plain", map[string]string{"/etc/ld.so.conf.d/x.conf": "# x\n/opt/lib\n", "/opt/lib/libbar.so.1": "libbar", "/opt/lib/libfoo.so.1": "libfoo2"}, "", "needs libbar.so.1", false},
		"ld.so.conf with a cache":        {split, "plain", map[string]string{"/etc/ld.so.cache": "made by ldconfig", "/etc/ld.so.conf.d/x.conf": "# x\n/opt/lib\n", "/opt/lib/libbar.so.1": "libbar", "/opt/lib/libfoo.so.1": "libfoo2"}, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, files := range []map[string]string{test.below, test.files, {"/app/program": test.program}} {
				for at, from := range files {
					place(t, filepath.Join(dir, at), from, made)
				}
			}
			fs := scanFolder(t, dir)
			e, _ := fs.Lookup("/app/program")
			found, err := fs.Link(Program{ELF: e.ELF, Path: "/app/program", LibraryPath: strings.Split(test.env, ":")})
			if refused := new(LinkError); test.want == "" && err != nil || test.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if test.unlike {
				return
			}
			start := func(env ...string) ([]byte, error) {
				run := testtool.Command(t, "/app/program")
				run.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
				run.Dir = "/"
				// The second stands for /proc/self/exe, which is not in the folder.
				run.Env = append(env, "LD_LIBRARY_PATH="+test.env, "LD_ORIGIN_PATH=/app")
				return run.CombinedOutput()
			}
			out, failed := start()
			if (failed == nil) != (err == nil) {
				t.Fatalf("the program says %v, %s; Link says %v", failed, out, err)
			}
			if err != nil || test.program == "static" {
				return
			}
			if out, failed = start("LD_TRACE_LOADED_OBJECTS=1"); failed != nil {
				t.Fatalf("%v\n%s", failed, out)
			}
			var want []string
			for _, m := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
				e, _ := fs.Lookup(m[1])
				want = append(want, e.Path)
			}
			slices.Sort(want)
			var got []string
			for _, l := range found {
				got = append(got, l.Path)
			}
			if want, got = slices.Compact(want), slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("it is linked with %v, the dynamic linker says %v", got, want)
			}
		})
	}
}

// A program with capabilities is Secure, and real: with them, somebody who is not root
// starts it where Link says so, and nowhere else.
func TestLinkSecure(t *testing.T) {
	testtool.Require(t, runtime.GOARCH == "amd64" && os.Getuid() == 0, "root, for chroot, on amd64")
	made := compileLibraries(t)
	const app = "/app/program needs libbar.so.1, but "
	for name, test := range map[string]struct {
		program, library, env, want string
	}{
		"absolute":             {"runpath", "/opt/lib", "", ""},
		"RPATH":                {"rpath", "/opt/lib", "", ""},
		"the system's":         {"plain", "/usr/lib", "", ""},
		"ORIGIN":               {"origin", "/app/lib", "", app + "a program with capabilities does not load /app/lib/libbar.so.1"},
		"ORIGIN to the system": {"origin-system", "/usr/lib/x", "", ""},
		"LD_LIBRARY_PATH":      {"plain", "/x", "/x", app + "a program with capabilities does not load /x/libbar.so.1"},
		"nowhere":              {"plain", "/y", "/x", app + "there is none"},
	} {
		// The folder is where everybody may look into it.
		dir, err := os.MkdirTemp("", "thimble-secure-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for at, from := range map[string]string{
			"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6": "/lib/x86_64-linux-gnu/libc.so.6",
			"/lib64/ld-linux-x86-64.so.2": "-> /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
			"/usr/lib/libfoo.so.1":        "libfoo2", test.library + "/libbar.so.1": "libbar", "/app/program": test.program,
		} {
			place(t, filepath.Join(dir, at), from, made)
		}
		caps, err := capability.Encode([]string{"cap_net_bind_service"})
		if err == nil {
			err = syscall.Setxattr(filepath.Join(dir, "app/program"), capability.XAttr, caps, 0)
		}
		if err == nil { // for /proc/self/exe, of which ORIGIN is made
			if err = os.Mkdir(filepath.Join(dir, "proc"), 0o755); err == nil {
				err = syscall.Mount("/proc", filepath.Join(dir, "proc"), "", syscall.MS_BIND|syscall.MS_REC, "")
			}
		}
		testtool.Require(t, !errors.Is(err, syscall.EPERM), "leave to mount /proc")
		if err != nil {
			t.Fatal(err)
		}
		run := testtool.Command(t, "/app/program")
		run.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		run.Dir, run.Env = "/", []string{"LD_LIBRARY_PATH=" + test.env}
		out, failed := run.CombinedOutput()
		if err := syscall.Unmount(filepath.Join(dir, "proc"), syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "proc")); err != nil {
			t.Fatal(err)
		}
		fs := scanFolder(t, dir)
		e, _ := fs.Lookup("/app/program")
		_, err = fs.Link(Program{ELF: e.ELF, Path: "/app/program", LibraryPath: []string{test.env}, Secure: true})
		if err != nil && err.Error() != test.want || err == nil && test.want != "" {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		if (failed == nil) != (err == nil) {
			t.Errorf("%s: the program says %v, %s; Link says %v", name, failed, out, err)
		}
	}
}

// place puts a made file, a copy of another, a link ("-> target"), a folder or a text at
// a path.
func place(t *testing.T, at, from string, made map[string]string) {
	t.Helper()
	if from == "" {
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	target, isLink := strings.CutPrefix(from, "-> ")
	file, isMade := made[from]
	switch {
	case err != nil:
	case isLink:
		err = os.Symlink(target, at)
	case isMade || filepath.IsAbs(from):
		if !isMade {
			file = from
		}
		var b []byte
		if b, err = os.ReadFile(file); err == nil {
			err = os.WriteFile(at, b, 0o755)
		}
	default:
		err = os.WriteFile(at, []byte(from), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// scanFolder is the file system of an image whose only layer has what is in dir.
func scanFolder(t *testing.T, dir string) *FS {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		t.Fatal(err)
	}
	layer, err := Scan(&b)
	if err != nil {
		t.Fatal(err)
	}
	return stacked(layer)
}

// compileLibraries makes programs and libraries with the C compiler, and returns their
// files.
func compileLibraries(t *testing.T) map[string]string {
	t.Helper()
	testtool.Program(t, "gcc")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"foo.c":   "int foo(void) { return 0; }\n",
		"bar.c":   "int foo(void); int bar(void) { return foo(); }\n",
		"main.c":  "int bar(void); int main(void) { return bar(); }\n",
		"alone.c": "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n",
		"1.map":   "FOO_1.9 { foo; };\n",
		"2.map":   "FOO_1.9 { }; FOO_1.10 { foo; } FOO_1.9;\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	gcc := func(out string, args ...string) {
		t.Helper()
		run := testtool.Command(t, "gcc", append([]string{"-o", out}, args...)...)
		run.Dir = dir
		if b, err := run.CombinedOutput(); err != nil {
			t.Fatalf("gcc -o %s: %v\n%s", out, err, b)
		}
	}
	shared := func(out, soname string, args ...string) {
		gcc(out, append([]string{"-shared", "-fPIC", "-Wl,-soname=" + soname}, args...)...)
	}
	shared("libfoo0", "libfoo.so.1", "foo.c")
	shared("libfoo1", "libfoo.so.1", "foo.c", "-Wl,--version-script=1.map")
	shared("libfoo2", "libfoo.so.1", "foo.c", "-Wl,--version-script=2.map")
	shared("libbar", "libbar.so.1", "bar.c", "./libfoo2")
	shared("libbar-runpath", "libbar.so.1", "bar.c", "./libfoo2", "-Wl,--enable-new-dtags,-rpath=/elsewhere")
	gcc("alone", "alone.c")
	gcc("static", "-static", "alone.c")
	gcc("plain", "main.c", "./libbar", "./libfoo2")
	for name, flags := range map[string]string{
		"runpath": "--enable-new-dtags,-rpath=/opt/lib", "rpath": "--disable-new-dtags,-rpath=/opt/lib",
		"origin": "--enable-new-dtags,-rpath=$ORIGIN/lib", "lib": "--enable-new-dtags,-rpath=/opt/$LIB",
		"origin-system": "--enable-new-dtags,-rpath=$ORIGIN/../usr/lib/x",
	} {
		gcc(name, "main.c", "./libbar", "-Wl,--unresolved-symbols=ignore-in-shared-libs", "-Wl,"+flags)
	}
	other, err := os.ReadFile(filepath.Join(dir, "libbar"))
	if err != nil {
		t.Fatal(err)
	}
	other[18] = 183 // e_machine: EM_AARCH64
	if err := os.WriteFile(filepath.Join(dir, "other"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for _, name := range []string{"libfoo0", "libfoo1", "libfoo2", "libbar", "libbar-runpath", "alone", "static", "plain", "runpath", "rpath", "origin", "origin-system", "lib", "other"} {
		made[name] = filepath.Join(dir, name)
	}
	return made
}

// FuzzReadELF wants no panic and no endless loop of what anybody may put into a base.
func FuzzReadELF(f *testing.F) {
	for _, file := range []string{"/lib/x86_64-linux-gnu/libdl.so.2", "/proc/self/exe"} {
		if b, err := os.ReadFile(file); err == nil && len(b) < 1<<20 {
			f.Add(b)
		}
	}
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := ReadELF(bytes.NewReader(b))
		if err != nil {
			return
		}
		fs := stacked(Layer{
			{Path: "/lib/self.so", Type: tar.TypeReg, ELF: info}, {Path: "/lib/libc.so.6", Type: tar.TypeSymlink, Link: "self.so"},
			{Path: "/lib64", Type: tar.TypeSymlink, Link: "lib"}, {Path: "/etc/ld.so.cache", Type: tar.TypeReg},
		})
		_, _ = fs.Link(Program{ELF: info, Path: "/app/x"})
	})
}
