package debian

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
