package debian

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

const (
	certificateA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	certificateB = "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----" // without a newline
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// testArchive has what the distroless bases ask for, in small.
func testArchive(t testing.TB) *debiantest.Archive {
	t.Helper()
	a := debiantest.New(t)
	doc := func(name string) debiantest.Entry {
		return debiantest.File("usr/share/doc/"+name+"/copyright", "free-form")
	}
	lib := func(name, version string, depends string, files ...debiantest.Entry) debiantest.Package {
		p := debiantest.Package{Name: name, Version: version, Architecture: "amd64", Files: append(files, doc(name))}
		if depends != "" {
			p.Fields = []string{depends}
		}
		return p
	}
	a.Packages["trixie"] = []debiantest.Package{
		{
			Name: "base-files", Version: "13.8", Architecture: "amd64", Fields: []string{"Pre-Depends: awk", "Provides: base, usr-is-merged"},
			Files: []debiantest.Entry{
				debiantest.Folder("."), debiantest.Folder("etc"), debiantest.Folder("usr"), debiantest.Folder("usr/lib"), debiantest.Folder("usr/lib64"),
				debiantest.File("usr/lib/os-release", "PRETTY_NAME=\"Debian\"\n"),
				debiantest.File("etc/debian_version", "13.8\n"),
				debiantest.Link(tar.TypeSymlink, "./etc/os-release", "../usr/lib/os-release"),
				debiantest.Link(tar.TypeSymlink, "./lib", "usr/lib"),
				debiantest.Link(tar.TypeSymlink, "./lib64", "usr/lib64"),
			},
		},
		{Name: certificates, Version: "20250419", Fields: []string{"Depends: openssl (>= 1.1.1), debconf (>= 0.5) | debconf-2.0"}, Files: []debiantest.Entry{
			debiantest.File("usr/share/ca-certificates/mozilla/b.crt", certificateA),
			debiantest.File("usr/share/ca-certificates/mozilla/a.crt", certificateB),
			debiantest.File("usr/share/ca-certificates/mozilla/README", "no certificate"),
			debiantest.File("usr/sbin/update-ca-certificates", "#!/bin/sh"),
			debiantest.File("usr/share/doc/ca-certificates/copyright", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: debian/*\nLicense: GPL-2+\n\nFiles: mozilla/*\nLicense: MPL-2.0\n"),
		}},
		{Name: "media-types", Version: "13.0.0", Files: []debiantest.Entry{debiantest.File("etc/mime.types", "text/plain txt\n")}},
		{Name: "netbase", Version: "6.5", Compression: "xz", Files: []debiantest.Entry{debiantest.File("etc/services", "http 80/tcp\n")}},
		{Name: "tzdata", Version: "2026a", Fields: []string{"Depends: debconf (>= 0.5) | debconf-2.0"}, Compression: "zst", Files: []debiantest.Entry{
			debiantest.File("usr/share/zoneinfo/Etc/UTC", "TZif"),
			debiantest.Link(tar.TypeLink, "./usr/share/zoneinfo/Africa/UTC", "./usr/share/zoneinfo/Etc/UTC"),
			debiantest.Link(tar.TypeSymlink, "./usr/share/zoneinfo/localtime", "/etc/localtime"),
		}},
		{Name: "tzdata-legacy", Version: "2026a", Fields: []string{"Source: tzdata", "Depends: tzdata"}, Compression: "none", Files: []debiantest.Entry{debiantest.File("usr/share/zoneinfo/US/Central", "TZif")}},
		lib("libc6", "2.41-12", "Depends: libgcc-s1", debiantest.Folder("lib"), debiantest.File("lib/x86_64-linux-gnu/libc.so.6", "ELF"), debiantest.File("usr/lib64/ld.so", "ELF")),
		lib("gcc-14-base", "14.2.0-19", ""),
		{Name: "libgcc-s1", Version: "14.2.0-19", Architecture: "amd64", Fields: []string{"Source: gcc-14", "Depends: gcc-14-base (= 14.2.0-19), libc6 (>= 2.35)", "Provides: libgcc1 (= 1:14.2.0-19)"}, Files: []debiantest.Entry{
			debiantest.File("usr/lib/x86_64-linux-gnu/libgcc_s.so.1", "ELF"), debiantest.Link(tar.TypeSymlink, "./usr/share/doc/libgcc-s1", "gcc-14-base"),
		}},
		lib("libstdc++6", "14.2.0-19", "Depends: gcc-14-base (= 14.2.0-19), libc6 (>= 2.38), libgcc-s1 (>= 4.3)"),
		lib("libgomp1", "14.2.0-19", "Depends: gcc-14-base (= 14.2.0-19), libc6 (>= 2.38)"),
		lib("libssl3t64", "3.5.1-1", "Depends: libc6 (>= 2.38), openssl-provider-legacy"),
		lib("openssl-provider-legacy", "3.5.1-1", "Depends: libssl3t64 (>= 3.0.3)"),
		lib("openssl", "3.5.1-1", "Depends: libssl3t64 (>= 3.5)", debiantest.File("usr/bin/openssl", "ELF")),
	}
	a.Packages["trixie-updates"] = []debiantest.Package{
		{Name: "tzdata", Version: "2026b", Files: []debiantest.Entry{debiantest.File("usr/share/zoneinfo/Etc/UTC", "TZif2")}},
	}
	a.Packages["trixie-security"] = []debiantest.Package{
		lib("libssl3t64", "3.5.1-1+deb13u2", "Depends: libc6 (>= 2.38), openssl-provider-legacy"),
		lib("libssl3t64", "3.5.1-1+deb13u1", "Depends: none-of-this"),
	}
	a.Publish(t)
	return a
}

// request locks the distroless bases for amd64.
func request(t testing.TB, a *debiantest.Archive) Request {
	t.Helper()
	r := Request{
		Mirror: Mirror{URL: a.Serve(t), Cache: t.TempDir()}, Suite: a.Suite, Now: now, Keyring: a.Keyring(t),
	}
	for _, base := range []string{plan.BaseStatic, plan.BaseBase, plan.BaseCC} {
		r.Selections = append(r.Selections, plan.DebianSelection{Base: base, Architecture: "amd64"})
	}
	return r
}

func mustLock(t testing.TB, r Request) plan.DebianLock {
	t.Helper()
	l, err := Lock(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustFind(t testing.TB, l plan.DebianLock, base string, with ...string) Selection {
	t.Helper()
	s, err := Find(&l, base, with, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustTree makes a tree in a folder that the test removes.
func mustTree(t testing.TB, s Selection, m Mirror) *tree.Tree {
	t.Helper()
	tr, err := s.Tree(t.Context(), m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func digest(t testing.TB, tr *tree.Tree) string {
	t.Helper()
	h := sha256.New()
	if err := tr.WriteTar(h); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// describe is a node as a line of a listing.
func describe(n tree.Node) string {
	s := fmt.Sprintf("%s %d:%d /%s", n.Mode, n.UID, n.GID, n.Path)
	if n.Link != "" {
		s += " -> " + n.Link
	}
	return s
}

func listing(tr *tree.Tree) []string {
	var lines []string
	for _, n := range tr.Nodes() {
		lines = append(lines, describe(n))
	}
	return lines
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLock(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	r.Selections = append(r.Selections,
		plan.DebianSelection{Base: plan.BaseDebian, With: []string{"openssl"}, Architecture: "amd64"},
		plan.DebianSelection{Base: plan.BaseStatic, With: []string{"openssl", "libc6", "openssl"}, Architecture: "amd64"},
		r.Selections[0])
	l := mustLock(t, r)
	static := []string{"base-files=13.8", "ca-certificates=20250419", "media-types=13.0.0", "netbase=6.5", "tzdata=2026b", "tzdata-legacy=2026a"}
	ssl := []string{"gcc-14-base=14.2.0-19", "libc6=2.41-12", "libgcc-s1=14.2.0-19", "libssl3t64=3.5.1-1+deb13u2", "openssl-provider-legacy=3.5.1-1"}
	join := func(lists ...[]string) []string {
		all := slices.Concat(lists...)
		slices.Sort(all)
		return all
	}
	want := []plan.DebianSelection{
		{Base: "debian", With: []string{"openssl"}, Packages: join(ssl, []string{"openssl=3.5.1-1"})},
		{Base: "distroless/base", Packages: join(static, ssl)},
		{Base: "distroless/cc", Packages: join(static, ssl, []string{"libgomp1=14.2.0-19", "libstdc++6=14.2.0-19"})},
		{Base: "distroless/static", Packages: static},
		{Base: "distroless/static", With: []string{"libc6", "openssl"}, Packages: join(static, ssl, []string{"openssl=3.5.1-1"})},
	}
	for i := range want {
		want[i].Architecture = "amd64"
	}
	// "=" sorts after "-", so the names decide.
	for _, s := range want {
		slices.SortFunc(s.Packages, func(a, b string) int {
			an, _, _ := strings.Cut(a, "=")
			bn, _, _ := strings.Cut(b, "=")
			return strings.Compare(an, bn)
		})
	}
	if got, want := asJSON(t, l.Selections), asJSON(t, want); got != want {
		t.Errorf("the selections are\n%s\nwant\n%s", got, want)
	}
	indexes := []plan.DebianIndex{
		{Archive: "debian", Suite: "trixie", Date: "2026-11-21T09:15:44Z"},
		{Archive: "debian", Suite: "trixie-updates", Date: "2026-11-21T09:15:44Z"},
		{Archive: "debian-security", Suite: "trixie-security", Date: "2026-11-21T09:15:44Z"},
	}
	if !slices.Equal(l.Indexes, indexes) {
		t.Errorf("the indexes are %+v", l.Indexes)
	}
	i := slices.IndexFunc(l.Packages, func(p plan.DebianPackage) bool { return p.Name == "libssl3t64" })
	deb := a.Get("debian-security/pool/main/l/libssl3t64/libssl3t64_3.5.1-1+deb13u2_amd64.deb")
	if want := (plan.DebianPackage{
		Name: "libssl3t64", Version: "3.5.1-1+deb13u2", Architecture: "amd64", Source: "libssl3t64", SourceVersion: "3.5.1-1+deb13u2",
		Maintainer: "Test Maintainers <test@example.com>", Archive: "debian-security",
		Path: "pool/main/l/libssl3t64/libssl3t64_3.5.1-1+deb13u2_amd64.deb", Size: int64(len(deb)), SHA256: fmt.Sprintf("%x", sha256.Sum256(deb)),
	}); l.Packages[i] != want {
		t.Errorf("the package is %+v, want %+v", l.Packages[i], want)
	}

	// Two architectures may share a list.
	shared := debiantest.New(t)
	shared.Architectures = []string{"amd64", "arm64"}
	shared.Packages["trixie"] = []debiantest.Package{{Name: "data", Version: "1", Files: []debiantest.Entry{debiantest.File("x", "x")}}}
	shared.Publish(t)
	both := request(t, shared)
	both.Selections = nil
	for _, arch := range shared.Architectures {
		both.Selections = append(both.Selections, plan.DebianSelection{Base: plan.BaseDebian, With: []string{"data"}, Architecture: arch})
	}
	if got := mustLock(t, both); len(got.Selections) != 2 || len(got.Packages) != 1 {
		t.Errorf("the lock of a package for all architectures is %s", asJSON(t, got))
	}

	// The same index gives the same file, from a cache or without one, in any order.
	r.Previous = &l
	slices.Reverse(r.Selections)
	again := mustLock(t, r)
	r.Mirror.Cache = t.TempDir()
	if clean := mustLock(t, r); asJSON(t, again) != asJSON(t, l) || asJSON(t, clean) != asJSON(t, l) {
		t.Error("a second lock on the same index is another")
	}
}

func TestTree(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	l := mustLock(t, r)
	s := mustFind(t, l, plan.BaseBase)
	tr := mustTree(t, s, r.Mirror)
	want := strings.Split(strings.TrimSpace(`
drwxr-xr-x 0:0 /etc
-rw-r--r-- 0:0 /etc/debian_version
-rw-r--r-- 0:0 /etc/group
-rw-r--r-- 0:0 /etc/mime.types
-rw-r--r-- 0:0 /etc/nsswitch.conf
Lrwxrwxrwx 0:0 /etc/os-release -> ../usr/lib/os-release
-rw-r--r-- 0:0 /etc/passwd
-rw-r--r-- 0:0 /etc/services
drwxr-xr-x 0:0 /etc/ssl
drwxr-xr-x 0:0 /etc/ssl/certs
-rw-r--r-- 0:0 /etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0:0 /home
drwx------ 65532:65532 /home/nonroot
Lrwxrwxrwx 0:0 /lib -> usr/lib
Lrwxrwxrwx 0:0 /lib64 -> usr/lib64
drwx------ 0:0 /root
dtrwxrwxrwx 0:0 /tmp
drwxr-xr-x 0:0 /usr
drwxr-xr-x 0:0 /usr/lib
-rw-r--r-- 0:0 /usr/lib/os-release
drwxr-xr-x 0:0 /usr/lib/x86_64-linux-gnu
-rw-r--r-- 0:0 /usr/lib/x86_64-linux-gnu/libc.so.6
-rw-r--r-- 0:0 /usr/lib/x86_64-linux-gnu/libgcc_s.so.1
drwxr-xr-x 0:0 /usr/lib64
-rw-r--r-- 0:0 /usr/lib64/ld.so
drwxr-xr-x 0:0 /usr/share
drwxr-xr-x 0:0 /usr/share/doc
drwxr-xr-x 0:0 /usr/share/doc/ca-certificates
-rw-r--r-- 0:0 /usr/share/doc/ca-certificates/copyright
drwxr-xr-x 0:0 /usr/share/doc/gcc-14-base
-rw-r--r-- 0:0 /usr/share/doc/gcc-14-base/copyright
drwxr-xr-x 0:0 /usr/share/doc/libc6
-rw-r--r-- 0:0 /usr/share/doc/libc6/copyright
Lrwxrwxrwx 0:0 /usr/share/doc/libgcc-s1 -> gcc-14-base
drwxr-xr-x 0:0 /usr/share/doc/libssl3t64
-rw-r--r-- 0:0 /usr/share/doc/libssl3t64/copyright
drwxr-xr-x 0:0 /usr/share/doc/openssl-provider-legacy
-rw-r--r-- 0:0 /usr/share/doc/openssl-provider-legacy/copyright
drwxr-xr-x 0:0 /usr/share/zoneinfo
drwxr-xr-x 0:0 /usr/share/zoneinfo/Etc
-rw-r--r-- 0:0 /usr/share/zoneinfo/Etc/UTC
drwxr-xr-x 0:0 /usr/share/zoneinfo/US
-rw-r--r-- 0:0 /usr/share/zoneinfo/US/Central
drwxr-xr-x 0:0 /var
drwxr-xr-x 0:0 /var/lib
drwxr-xr-x 0:0 /var/lib/dpkg
drwxr-xr-x 0:0 /var/lib/dpkg/status.d
`), "\n")
	for _, p := range s.Locked {
		want = append(want, "-rw-r--r-- 0:0 /"+status+p.Name, "-rw-r--r-- 0:0 /"+status+p.Name+".md5sums")
	}
	slices.Sort(want[len(want)-2*len(s.Locked):])
	if got := listing(tr); !slices.Equal(got, want) {
		t.Errorf("the tree is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for p, want := range map[string]string{
		bundlePath:                        certificateB + "\n" + certificateA,
		"usr/lib/os-release":              "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\nVERSION_ID=\"13\"\n",
		"var/lib/dpkg/status.d/libgcc-s1": "Package: libgcc-s1\n",
		"usr/share/zoneinfo/Etc/UTC":      "TZif2",
	} {
		if got := content(t, tr, p); !strings.HasPrefix(got, want) {
			t.Errorf("/%s is %q, want %q", p, got, want)
		}
	}

	// A warm cache needs no network, and another cache gives the same bytes.
	m := r.Mirror
	m.URL = "http://127.0.0.1:1"
	if digest(t, mustTree(t, s, m)) != digest(t, tr) {
		t.Error("the second tree is another")
	}
	m = Mirror{URL: r.Mirror.URL, Cache: t.TempDir()}
	if digest(t, mustTree(t, s, m)) != digest(t, tr) {
		t.Error("the tree from a clean cache is another")
	}
}

func content(t testing.TB, tr *tree.Tree, p string) string {
	t.Helper()
	nodes := map[string]tree.Node{}
	for _, n := range tr.Nodes() {
		nodes[n.Path] = n
	}
	b, err := readNode(nodes, nodes[p])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestComponents(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	l := mustLock(t, r)
	s := mustFind(t, l, plan.BaseCC)
	all, err := mustTree(t, s, r.Mirror).Components()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]tree.Component{}
	for _, c := range all {
		files := c.Files
		c.Files = nil
		byName[c.Name] = c
		if len(files) == 0 {
			t.Errorf("%s has no files", c.Name)
		}
	}
	if len(byName) != len(s.Locked)+1 {
		t.Errorf("there are %d components of %d packages", len(byName), len(s.Locked))
	}
	sum := func(name string) string {
		return s.Locked[slices.IndexFunc(s.Locked, func(p plan.DebianPackage) bool { return p.Name == name })].SHA256
	}
	for _, want := range []tree.Component{
		{
			Name: "libgcc-s1", Version: "14.2.0-19", PURL: "pkg:deb/debian/libgcc-s1@14.2.0-19?arch=amd64&distro=debian-13",
			Supplier: "Test Maintainers", SHA256: sum("libgcc-s1"), Source: "gcc-14 14.2.0-19",
		},
		{
			Name: "libstdc++6", Version: "14.2.0-19", PURL: "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13",
			Supplier: "Test Maintainers", SHA256: sum("libstdc++6"), Source: "libstdc++6 14.2.0-19",
		},
		{
			Name: certificates, Version: "20250419", PURL: "pkg:deb/debian/ca-certificates@20250419?arch=all&distro=debian-13",
			License: "GPL-2.0-or-later AND MPL-2.0", Supplier: "Test Maintainers", SHA256: sum(certificates), Source: "ca-certificates 20250419",
		},
	} {
		if got := asJSON(t, byName[want.Name]); got != asJSON(t, want) {
			t.Errorf("the component is %s, want %s", got, asJSON(t, want))
		}
	}
}

// "debian" has the packages that are named and what they depend on, and nothing else; in a
// merged suite also the links into /usr.
func TestBaseDebian(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	r.Selections = []plan.DebianSelection{
		{Base: plan.BaseDebian, With: []string{"libc6"}, Architecture: "amd64"},
		{Base: plan.BaseDebian, With: []string{certificates}, Architecture: "amd64"},
	}
	l := mustLock(t, r)
	got := listing(mustTree(t, mustFind(t, l, plan.BaseDebian, "libc6"), r.Mirror))
	for _, want := range []string{"Lrwxrwxrwx 0:0 /lib -> usr/lib", "Lrwxrwxrwx 0:0 /lib64 -> usr/lib64", "-rw-r--r-- 0:0 /usr/lib64/ld.so"} {
		if !slices.Contains(got, want) {
			t.Errorf("the tree lacks %s:\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, line := range got {
		if strings.HasSuffix(line, "/etc/passwd") || strings.HasSuffix(line, "/tmp") || strings.HasSuffix(line, "/bin -> usr/bin") {
			t.Errorf("the tree has %s", line)
		}
	}
	got = listing(mustTree(t, mustFind(t, l, plan.BaseDebian, certificates), r.Mirror))
	for _, want := range []string{"/" + bundlePath, "/usr/share/ca-certificates/mozilla/a.crt", "/usr/bin/openssl"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, " "+want) }) {
			t.Errorf("with ca-certificates the tree lacks %s", want)
		}
	}
}

func TestFind(t *testing.T) {
	a := testArchive(t)
	l := mustLock(t, request(t, a))
	for name, tc := range map[string]struct {
		change func(*plan.DebianLock)
		base   string
		with   []string
		arch   string
		want   string
	}{
		"another base":         {nil, plan.BaseDebian, nil, "amd64", ErrNotLocked.Error()},
		"another architecture": {nil, plan.BaseStatic, nil, "arm64", ErrNotLocked.Error()},
		"further packages":     {nil, plan.BaseStatic, []string{"libc6"}, "amd64", ErrNotLocked.Error()},
		"lost package":         {func(l *plan.DebianLock) { l.Packages = l.Packages[1:] }, plan.BaseStatic, nil, "amd64", `package "base-files=13.8" 0 times`},
		"package twice":        {func(l *plan.DebianLock) { l.Packages = append(l.Packages, l.Packages[0]) }, plan.BaseStatic, nil, "amd64", `"base-files=13.8" 2 times`},
		"path out":             {func(l *plan.DebianLock) { l.Packages[0].Path = "pool/../../x" }, plan.BaseStatic, nil, "amd64", "not a path below pool/"},
		"other archive":        {func(l *plan.DebianLock) { l.Packages[0].Archive = "../debian" }, plan.BaseStatic, nil, "amd64", `no archive "../debian"`},
		"size":                 {func(l *plan.DebianLock) { l.Packages[0].Size = 1 << 40 }, plan.BaseStatic, nil, "amd64", "a size of"},
		"hash":                 {func(l *plan.DebianLock) { l.Packages[0].SHA256 = "../../etc/passwd" }, plan.BaseStatic, nil, "amd64", "is no SHA-256"},
		"version":              {func(l *plan.DebianLock) { l.Packages[0].SourceVersion = "1\n2" }, plan.BaseStatic, nil, "amd64", "has the byte"},
		"suite":                {func(l *plan.DebianLock) { l.Suite = "sarge" }, plan.BaseStatic, nil, "amd64", `suite "sarge" is unknown; there are trixie and bookworm`},
		"no packages":          {func(l *plan.DebianLock) { l.Selections[2].Packages = nil }, plan.BaseStatic, nil, "amd64", "no packages for it"},
		"one twice":            {func(l *plan.DebianLock) { s := &l.Selections[2]; s.Packages = append(s.Packages, s.Packages[0]) }, plan.BaseStatic, nil, "amd64", `names package "base-files" twice`},
	} {
		var changed plan.DebianLock
		if err := json.Unmarshal([]byte(asJSON(t, l)), &changed); err != nil {
			t.Fatal(err)
		}
		if tc.change != nil {
			tc.change(&changed)
		}
		_, err := Find(&changed, tc.base, tc.with, tc.arch)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Find gives %v, want %q in it", name, err, tc.want)
		}
	}
	if _, err := Find(nil, plan.BaseStatic, nil, "amd64"); err == nil {
		t.Error("without a lock there is no error")
	}
}

// The key changes with everything that the tree or its components depend on, and with
// nothing else.
func TestKey(t *testing.T) {
	a := testArchive(t)
	l := mustLock(t, request(t, a))
	s := mustFind(t, l, plan.BaseStatic)
	key := s.Key()
	same := s
	same.Indexes = slices.Clone(s.Indexes)
	same.Indexes[0].Date = "2027-01-01T00:00:00Z"
	if same.Key() != key {
		t.Error("the date of an index changes the key")
	}
	for name, change := range map[string]func(*Selection){
		"base":     func(s *Selection) { s.Base = plan.BaseBase },
		"suite":    func(s *Selection) { s.Suite = "bookworm" },
		"hash":     func(s *Selection) { s.Locked[0].SHA256 = strings.Repeat("0", 64) },
		"supplier": func(s *Selection) { s.Locked[0].Maintainer = "Somebody" },
		"with":     func(s *Selection) { s.With = []string{certificates} },
		"snapshot": func(s *Selection) { s.Indexes[0].Snapshot = "20261101T000000Z" },
	} {
		other := s
		other.Locked, other.Indexes = slices.Clone(s.Locked), slices.Clone(s.Indexes)
		change(&other)
		if other.Key() == key {
			t.Errorf("another %s gives the same key", name)
		}
	}
}

func TestArchitecture(t *testing.T) {
	for _, tc := range []struct{ suite, platform, want string }{
		{"trixie", "linux/amd64", "amd64"},
		{"trixie", "linux/amd64/v3", "amd64"},
		{"trixie", "linux/arm64", "arm64"},
		{"trixie", "linux/arm/v7", "armhf"},
		{"trixie", "linux/s390x", "s390x"},
		{"trixie", "linux/ppc64le", "ppc64el"},
		{"trixie", "linux/riscv64", "riscv64"},
		{"bookworm", "linux/s390x", "s390x"},
		{"bookworm", "linux/riscv64", "for linux/riscv64: bookworm has them for linux/amd64, linux/arm/v7, linux/arm64, linux/ppc64le, linux/s390x"},
		{"trixie", "linux/arm/v6", "for linux/arm/v6: trixie has them for"},
		{"trixie", "windows/amd64", "for windows/amd64: trixie has them for"},
		{"sid", "linux/amd64", `suite "sid" is unknown`},
	} {
		p, err := plan.ParsePlatform(tc.platform)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Architecture(tc.suite, p)
		if err != nil {
			got = err.Error()
		}
		if got != tc.want && (err == nil || !strings.Contains(got, tc.want)) {
			t.Errorf("%s of %s is %s, want %s", tc.platform, tc.suite, got, tc.want)
		}
	}
}

// A mirror with snapshots: Lock takes the last one, and the build finds every package in
// it, also with a lock that was made from a mirror without.
func TestSnapshots(t *testing.T) {
	const taken = "20261124T203000Z"
	a := testArchive(t)
	a.ValidUntil = now.Add(-6 * time.Hour) // past now, but not past the snapshot
	a.Publish(t)
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
		if parts[1] < taken {
			http.NotFound(w, r)
			return true
		}
		if parts[1] != taken {
			http.Redirect(w, r, "/"+parts[0]+"/"+taken+"/"+parts[2], http.StatusFound)
			return true
		}
		content := a.Get(parts[0] + "/" + parts[2])
		if content == nil {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write(content)
		return true
	})
	r := request(t, a)
	r.Mirror.Snapshots = true
	l := mustLock(t, r)
	for _, x := range l.Indexes {
		if x.Snapshot != taken {
			t.Errorf("%s is from snapshot %q", x.Suite, x.Snapshot)
		}
	}
	s := mustFind(t, l, plan.BaseStatic)
	tr := mustTree(t, s, r.Mirror)
	components, err := tr.Components()
	if want := Snapshot + "/debian/" + taken + "/pool/main/b/base-files/base-files_13.8_amd64.deb"; err != nil || components[0].DownloadLocation != want {
		t.Errorf("base-files is at %q (%v), want %q", components[0].DownloadLocation, err, want)
	}
	for i := range s.Indexes {
		s.Indexes[i].Snapshot = ""
	}
	s.Indexes[0].Date, s.Indexes[1].Date = "2026-11-24T00:00:00Z", "2026-11-24T12:00:00Z"
	r.Mirror.Cache = t.TempDir()
	if digest(t, mustTree(t, s, r.Mirror)) != digest(t, tr) {
		t.Error("without the snapshot's time the tree is another")
	}
	// An index that had expired when the snapshot was made is refused.
	a.ValidUntil = time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	a.Publish(t)
	if _, err := Lock(t.Context(), r); err == nil || !strings.Contains(err.Error(), "expired at 2026-11-24T20:00:00Z") {
		t.Errorf("Lock gives %v", err)
	}
}

func TestMirrorRefuses(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	for _, u := range []string{"ftp://example.com", "example.com", "http://", "file:///mirror", "http://example.com/?x=1"} {
		r.Mirror.URL = u
		if _, err := Lock(t.Context(), r); err == nil || !strings.Contains(err.Error(), "is not an http or https URL") {
			t.Errorf("%s gives %v", u, err)
		}
	}
	r.Mirror.URL = "http://user:secret@127.0.0.1:1"
	if _, err := Lock(t.Context(), r); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error is %v", err)
	}
	r = request(t, a)
	r.Mirror.Cache = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(r.Mirror.Cache, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(t.Context(), r); err == nil || !strings.Contains(err.Error(), "cache of Debian's packages") {
		t.Errorf("a file as cache gives %v", err)
	}
}
