package debian

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

func realMirror(t testing.TB) Mirror {
	t.Helper()
	dir, err := realCache()
	if err != nil {
		t.Fatal(err)
	}
	return Mirror{URL: debiantest.Mirror(t), Cache: dir}
}

// realRequest is for all distroless bases of the real archive.
func realRequest(t testing.TB, suite, arch string) Request {
	t.Helper()
	r := Request{Mirror: realMirror(t), Suite: suite, Now: time.Now()}
	for _, base := range []string{plan.BaseStatic, plan.BaseBase, plan.BaseCC} {
		r.Selections = append(r.Selections, plan.DebianSelection{Base: base, Architecture: arch})
	}
	r.Selections = append(r.Selections, plan.DebianSelection{Base: plan.BaseDebian, With: []string{certificates}, Architecture: arch})
	return r
}

// The real archive, with Debian's own signatures: amd64 of both suites must do, since apt
// needs it too. Another architecture may find a mirror whose lists are not those of its
// index, and is then refused for that very reason.
func TestRealLock(t *testing.T) {
	for _, suite := range Suites {
		for _, arch := range []string{"amd64", "arm64"} {
			r := realRequest(t, suite, arch)
			l, err := Lock(t.Context(), r)
			if arch != "amd64" && (errors.Is(err, errDiffers) || errors.Is(err, errGone)) {
				t.Logf("%s for %s: %v", suite, arch, err)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, sel := range l.Selections[1:] {
				var names []string
				for _, p := range sel.Packages {
					name, _, _ := strings.Cut(p, "=")
					names = append(names, name)
				}
				if got := strings.Join(names, " "); got != documented[suite][sel.Base] {
					t.Errorf("%s of %s is %s, docs/bases.md says %s", sel.Base, suite, got, documented[suite][sel.Base])
				}
			}
			if arch == "amd64" && suite == "trixie" {
				again := r
				again.Previous, again.Mirror.Cache = &l, t.TempDir()
				if second := mustLock(t, again); asJSON(t, second) != asJSON(t, l) {
					t.Error("a second lock on the same index is another")
				}
			}
			checkReal(t, r.Mirror, l, arch)
		}
	}
}

// documented are the packages of the bases, as docs/bases.md has them.
var documented = map[string]map[string]string{
	"trixie": {
		plan.BaseStatic: "base-files ca-certificates media-types netbase tzdata tzdata-legacy",
		plan.BaseBase:   "base-files ca-certificates gcc-14-base libc6 libgcc-s1 libssl3t64 libzstd1 media-types netbase openssl-provider-legacy tzdata tzdata-legacy zlib1g",
		plan.BaseCC:     "base-files ca-certificates gcc-14-base libc6 libgcc-s1 libgomp1 libssl3t64 libstdc++6 libzstd1 media-types netbase openssl-provider-legacy tzdata tzdata-legacy zlib1g",
	},
	"bookworm": {
		plan.BaseStatic: "base-files ca-certificates media-types netbase tzdata",
		plan.BaseBase:   "base-files ca-certificates gcc-12-base libc6 libgcc-s1 libssl3 media-types netbase tzdata",
		plan.BaseCC:     "base-files ca-certificates gcc-12-base libc6 libgcc-s1 libgomp1 libssl3 libstdc++6 media-types netbase tzdata",
	},
}

// The real packages of the architectures that the mirror's index may not cover. A mirror
// may lack some of them too; of each suite it has to have one architecture's.
func TestRealArchitectures(t *testing.T) {
	mirror := realMirror(t)
	for suite, architectures := range map[string][]string{
		"trixie":   {"armhf", "ppc64el", "riscv64", "s390x"},
		"bookworm": {"armhf", "ppc64el", "s390x"},
	} {
		a := debiantest.Resign(t, mirror.URL, suite, architectures...)
		url := a.Serve(t)
		done := 0
		for _, arch := range architectures {
			r := realRequest(t, suite, arch)
			r.Selections = r.Selections[:3]
			r.Mirror.URL, r.Keyring = url, a.Keyring(t)
			l := mustLock(t, r)
			s, err := Find(&l, plan.BaseCC, nil, arch)
			if err == nil {
				err = s.Fetch(t.Context(), r.Mirror)
			}
			if errors.Is(err, errGone) {
				t.Logf("%s for %s: %v", suite, arch, err)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			checkReal(t, r.Mirror, l, arch)
			done++
		}
		if done == 0 {
			t.Errorf("the mirror has the packages of none of %s's %v", suite, architectures)
		}
	}
}

var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "armhf": elf.EM_ARM, "ppc64el": elf.EM_PPC64, "riscv64": elf.EM_RISCV, "s390x": elf.EM_S390,
}

// interpreters are the dynamic loaders that programs name.
var interpreters = map[string]string{
	"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1", "armhf": "lib/ld-linux-armhf.so.3",
	"ppc64el": "lib64/ld64.so.2", "riscv64": "lib/ld-linux-riscv64-lp64d.so.1", "s390x": "lib/ld64.so.1",
}

// checkReal makes all trees of a lock.
func checkReal(t *testing.T, m Mirror, l plan.DebianLock, arch string) {
	t.Helper()
	for _, sel := range l.Selections {
		if arch != "amd64" && sel.Base != plan.BaseCC {
			continue // the others are parts of it
		}
		s, err := Find(&l, sel.Base, sel.With, arch)
		if err != nil {
			t.Fatal(err)
		}
		tr := mustTree(t, s, m)
		nodes := byPath(tr)
		if sel.Base == plan.BaseBase || sel.Base == plan.BaseCC {
			loader := resolve(nodes, interpreters[arch])
			b, err := readNode(nodes, nodes[loader])
			if err != nil {
				t.Fatalf("%s for %s has no dynamic loader: %v", l.Suite, arch, err)
			}
			if f, err := elf.NewFile(bytes.NewReader(b)); err != nil || f.Machine != machines[arch] {
				t.Errorf("the loader of %s for %s is for another machine (%v)", l.Suite, arch, err)
			}
		}
		if _, merged := nodes["lib"]; merged && (nodes["lib"].Mode.Type() == fs.ModeSymlink) != s.merged() {
			t.Errorf("%s: /lib is %s", l.Suite, nodes["lib"].Mode)
		}
		components, err := tr.Components(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range s.Locked {
			if c := components[i]; c.Name != p.Name || c.Version != p.Version || len(c.Files) == 0 || c.Supplier == "" {
				t.Errorf("%s: the component of %s is %+v", l.Suite, p.Name, c)
			}
		}
	}
}

func byPath(tr *tree.Tree) map[string]tree.Node {
	nodes := map[string]tree.Node{}
	for _, n := range tr.Nodes() {
		nodes[n.Path] = n
	}
	return nodes
}

// resolve follows the symlinks of a tree.
func resolve(nodes map[string]tree.Node, p string) string {
	for range 20 {
		parts := strings.Split(p, "/")
		for i := range parts {
			at := strings.Join(parts[:i+1], "/")
			if n, ok := nodes[at]; ok && n.Mode.Type() == fs.ModeSymlink {
				p = path.Join("/", path.Dir(at), n.Link, strings.Join(parts[i+1:], "/"))[1:]
				if path.IsAbs(n.Link) {
					p = path.Join(n.Link, strings.Join(parts[i+1:], "/"))[1:]
				}
				break
			}
		}
	}
	return p
}

// distrolessStatic is what gcr.io/distroless/static has beside the files of its packages,
// by its definitions (static/static.bzl, common/BUILD.bazel). docs/bases.md says so too.
var distrolessStatic = []string{
	"-rw-r--r-- 0:0 /etc/group",
	"-rw-r--r-- 0:0 /etc/nsswitch.conf",
	"-rw-r--r-- 0:0 /etc/passwd",
	"-rw-r--r-- 0:0 /etc/ssl/certs/ca-certificates.crt",
	"-rw-r--r-- 0:0 /usr/lib/os-release",
	"-rw-r--r-- 0:0 /usr/share/doc/ca-certificates/copyright",
	"drwx------ 0:0 /root",
	"drwx------ 65532:65532 /home/nonroot",
	"drwxr-xr-x 0:0 /home",
	"dtrwxrwxrwx 0:0 /tmp",
}

// /static has the files that gcr.io/distroless/static has of the same packages: what
// Debian's own dpkg-deb lists, and what the distroless project adds.
func TestStaticIsDistroless(t *testing.T) {
	testtool.Program(t, "dpkg-deb")
	for _, suite := range Suites {
		r := realRequest(t, suite, "amd64")
		l := mustLock(t, r)
		s := mustFind(t, l, plan.BaseStatic)
		want := map[string]string{}
		for _, line := range distrolessStatic {
			_, p, _ := strings.Cut(line, "/")
			want[p] = line
		}
		tr := mustTree(t, s, r.Mirror)
		for _, p := range s.Locked {
			deb := filepath.Join(r.Mirror.Cache, p.SHA256)
			for file, output := range map[string][]byte{
				p.Name: run(t, "dpkg-deb", "--field", deb), p.Name + ".md5sums": run(t, "dpkg-deb", "--info", deb, "md5sums"),
			} {
				want[status+file] = "-rw-r--r-- 0:0 /" + status + file
				if got := content(t, tr, status+file); got != string(output) {
					t.Errorf("%s is\n%s\ndpkg-deb says\n%s", file, got, output)
				}
			}
			if p.Name != certificates {
				listDeb(t, deb, want)
			}
		}
		for p := range want {
			for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
				if want[dir] == "" {
					want[dir] = "drwxr-xr-x 0:0 /" + dir
				}
			}
		}
		for _, n := range tr.Nodes() {
			if got := describe(n); got != want[n.Path] {
				t.Errorf("%s: the tree has %q, distroless %q", suite, got, want[n.Path])
			}
			delete(want, n.Path)
		}
		for _, line := range want {
			t.Errorf("%s: the tree lacks %s", suite, line)
		}
	}
}

// listDeb adds the entries of a package, as dpkg-deb unpacks it.
func listDeb(t *testing.T, deb string, list map[string]string) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(run(t, "dpkg-deb", "--fsys-tarfile", deb)))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		p := path.Clean(h.Name)
		if p == "." || list[p] != "" {
			continue
		}
		n := tree.Node{Path: p, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid, Link: h.Linkname}
		if h.Typeflag == tar.TypeSymlink {
			n.Mode |= 0o777
		}
		if h.Typeflag == tar.TypeLink {
			t.Fatalf("%s is a hard link; say which of the two has the content", p)
		}
		list[p] = describe(n)
	}
}

// The bundle is the one that the package's own script makes.
func TestUpdateCACertificates(t *testing.T) {
	testtool.Program(t, "openssl")
	for _, suite := range Suites {
		r := realRequest(t, suite, "amd64")
		l := mustLock(t, r)
		full := byPath(mustTree(t, mustFind(t, l, plan.BaseDebian, certificates), r.Mirror))
		dir := t.TempDir()
		var conf bytes.Buffer
		for p, n := range full {
			if !strings.HasPrefix(p, "usr/share/ca-certificates/") && p != "usr/sbin/update-ca-certificates" || !n.Mode.IsRegular() {
				continue
			}
			b, err := readNode(full, n)
			if err == nil {
				err = os.MkdirAll(filepath.Join(dir, path.Dir(p)), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, p), b, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
			if path.Ext(p) == ".crt" {
				fmt.Fprintln(&conf, strings.TrimPrefix(p, "usr/share/ca-certificates/"))
			}
		}
		lines := strings.SplitAfter(conf.String(), "\n")
		slices.Sort(lines)
		for _, sub := range []string{"etc", "local", "hooks"} {
			if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "env", "LC_ALL=C", "sh", filepath.Join(dir, "usr/sbin/update-ca-certificates"), "--certsconf", filepath.Join(dir, "conf"),
			"--certsdir", filepath.Join(dir, "usr/share/ca-certificates"), "--localcertsdir", filepath.Join(dir, "local"),
			"--etccertsdir", filepath.Join(dir, "etc"), "--hooksdir", filepath.Join(dir, "hooks"))
		want, err := os.ReadFile(filepath.Join(dir, "etc", "ca-certificates.crt"))
		if err != nil {
			t.Fatal(err)
		}
		static := mustTree(t, mustFind(t, l, plan.BaseStatic), r.Mirror)
		if got := content(t, static, bundlePath); got != string(want) || len(want) < 100_000 {
			t.Errorf("%s: the bundle has %d bytes, that of update-ca-certificates %d, or they differ", suite, len(got), len(want))
		}
	}
}

// Two machines: another cache, another folder, another umask.
func TestOneDigest(t *testing.T) {
	r := realRequest(t, "trixie", "amd64")
	l := mustLock(t, r)
	s := mustFind(t, l, plan.BaseBase)
	want := digest(t, mustTree(t, s, r.Mirror))
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	m := Mirror{URL: r.Mirror.URL, Cache: filepath.Join(t.TempDir(), "elsewhere")}
	if got := digest(t, mustTree(t, s, m)); got != want {
		t.Errorf("two machines make %s and %s", want, got)
	}
}

func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	c := testtool.Command(t, name, args...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out
}

// BenchmarkTree makes bases of packages that are in the cache: what a first build costs.
func BenchmarkTree(b *testing.B) {
	r := realRequest(b, "trixie", "amd64")
	l := mustLock(b, r)
	for _, base := range []string{plan.BaseStatic, plan.BaseBase, plan.BaseCC} {
		b.Run(path.Base(base), func(b *testing.B) {
			s := mustFind(b, l, base)
			size := int64(0)
			for _, p := range s.Locked {
				size += p.Size
			}
			if err := s.Fetch(b.Context(), r.Mirror); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				tr, err := s.Tree(b.Context(), r.Mirror, b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				if err := tr.WriteTar(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLock reads lists that are in the cache.
func BenchmarkLock(b *testing.B) {
	r := realRequest(b, "trixie", "amd64")
	mustLock(b, r)
	b.ReportAllocs()
	for b.Loop() {
		mustLock(b, r)
	}
}
