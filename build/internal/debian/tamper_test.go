package debian

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// flip changes the byte in the middle.
func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// Nothing of a tampered mirror gets into a lock, and the error says why.
func TestTamperedIndex(t *testing.T) {
	testtool.NotShort(t)
	const (
		inRelease = "debian/dists/trixie/InRelease"
		security  = "debian-security/dists/trixie-security/"
		list      = "debian/dists/trixie/main/binary-amd64/Packages.gz"
	)
	for name, tc := range map[string]struct {
		tamper func(*testing.T, *debiantest.Archive, *Request)
		want   string
	}{
		"signed by another key": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			other := debiantest.New(t)
			_, text, _ := strings.Cut(string(a.Get(inRelease)), "\n\n")
			text, _, _ = strings.Cut(text, "-----BEGIN PGP SIGNATURE-----")
			a.Put(inRelease, other.Sign(t, text))
		}, "index of trixie from http://127.0.0.1:[0-9]*/debian/dists/trixie/InRelease: its signature is not valid: signature by key [0-9A-F]{16}: that key is not trusted"},
		"Debian's keys do not cover it": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Keyring = nil
		}, "that key is not trusted"},
		"text changed after signing": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(inRelease, bytes.Replace(a.Get(inRelease), []byte("Suite: stable"), []byte("Suite: stabel"), 1))
		}, "signature is not valid: signature by key [0-9A-F]{16}: openpgp: invalid signature"},
		"unsigned": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(inRelease, []byte("Codename: trixie\n"))
		}, "not an OpenPGP cleartext-signed message"},
		"something after the signature": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(inRelease, append(a.Get(inRelease), "\nSHA256:\n"...))
		}, "there is data after the signature"},
		"expired": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.ValidUntil = now.Add(-time.Second)
			a.Publish(t)
		}, "expired at 2026-11-25T11:59:59Z; the mirror is out of date, or somebody hides updates"},
		"older than the lock's": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			l := mustLock(t, *r)
			r.Previous = &l
			a.Date = a.Date.Add(-time.Second)
			a.Publish(t)
		}, "it is from 2026-11-21T09:15:43Z, but the lock's is from 2026-11-21T09:15:44Z: the mirror is out of date, or somebody hides updates"},
		"only the security index is older": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			old := a.Get(security + "InRelease")
			a.Date = a.Date.Add(time.Hour)
			a.Publish(t)
			l := mustLock(t, *r)
			r.Previous = &l
			a.Put(security+"InRelease", old)
		}, "index of trixie-security from .*: it is from 2026-11-21T09:15:44Z, but the lock's is from 2026-11-21T10:15:44Z"},
		"from the future": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Date = now.Add(time.Hour)
			a.Publish(t)
		}, "future"},
		"another suite's": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(inRelease, a.Get(security+"InRelease"))
		}, `it is the index of "trixie-security"`},
		"list changed": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(list, flip(a.Get(list)))
		}, "packages of trixie for amd64: .*: the mirror has a different file: its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}; somebody changed it, or the mirror is out of date"},
		"list of another time": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(list, debiantest.Gzip(t, []byte("Package: evil\n")))
		}, "the mirror has a different file: it has [0-9]+ bytes instead of [0-9]+"},
		"list missing": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(list, nil)
		}, "the mirror does not have it"},
		"index missing": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(security+"InRelease", nil)
		}, "index of trixie-security: fetch http://.*: the mirror does not have it; Config.Debian.Mirror must be the folder that contains debian/ and debian-security/"},
		"mirror broken": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Handle(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
		}, "the mirror answers 502 Bad Gateway"},
		"index without end": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Put(inRelease, make([]byte, maxIndex+1))
		}, "it is larger than 16777216 bytes"},
		"list unlike its compressed form": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			plain := []byte("Package: evil\n\n")
			a.Release(t, "debian", "trixie", map[string][]byte{
				"main/binary-amd64/Packages": []byte("Package: good\n\n"), "main/binary-amd64/Packages.gz": debiantest.Gzip(t, plain),
			})
		}, "its SHA-256 is [0-9a-f]{64}, but the index says [0-9a-f]{64}"},
		"list larger than the index says": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			a.Release(t, "debian", "trixie", map[string][]byte{
				"main/binary-amd64/Packages": []byte("Package: good\n\n"), "main/binary-amd64/Packages.gz": debiantest.Gzip(t, make([]byte, 1<<20)),
			})
		}, "it does not have the 15 bytes that the index says"},
		"path out of the pool": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			plain := bytes.Replace(unzip(t, a.Get(list)), []byte("pool/main/b/base-files/"), []byte("pool/../../../etc/passwd"), 1)
			a.Release(t, "debian", "trixie", map[string][]byte{
				"main/binary-amd64/Packages": plain, "main/binary-amd64/Packages.gz": debiantest.Gzip(t, plain),
			})
		}, "package base-files: .* is not a path below pool/"},
		"no such architecture": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Selections[0].Architecture = "riscv64"
		}, "trixie has no packages for riscv64, only for all, amd64"},
		"no such package": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Selections[0].With = []string{"no-such"}
		}, "base distroless/static: there is no package no-such for amd64 in main of this release; correct Packages"},
		"no name of a package": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Selections[0].With = []string{"../evil"}
		}, `"../evil" is not the name of a package`},
		"debian without packages": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Selections[0].Base = plan.BaseDebian
		}, "base debian: it has no packages"},
		"no base of packages": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Selections[0].Base = plan.BaseScratch
		}, `base "scratch" is not made of Debian's packages`},
		"no such suite": {func(t *testing.T, a *debiantest.Archive, r *Request) {
			r.Suite = "sarge"
		}, `suite "sarge" is unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			a := testArchive(t)
			r := request(t, a)
			tc.tamper(t, a, &r)
			l, err := Lock(t.Context(), r)
			if err == nil || !matches(t, tc.want, err.Error()) {
				t.Errorf("Lock gives %v, want %s", err, tc.want)
			}
			if asJSON(t, l) != asJSON(t, plan.DebianLock{}) {
				t.Error("there is a lock all the same")
			}
		})
	}
}

// A signature by a key that is not known takes nothing from one that is: Debian signs with
// several keys. An expired key does not count.
func TestSignatures(t *testing.T) {
	a := debiantest.New(t)
	message := a.Sign(t, "Codename: trixie\n")
	keyring, err := readKeyring(append(debiantest.New(t).Keyring(t), a.Keyring(t)...))
	if err != nil {
		t.Fatal(err)
	}
	text, err := keyring.Verify(message, now)
	if err != nil || strings.TrimSpace(string(text)) != "Codename: trixie" {
		t.Errorf("verify gives %q, %v", text, err)
	}
	archiveKeys, err := ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	inRelease, err := os.ReadFile(filepath.Join("testdata", "trixie-updates.InRelease"))
	if err != nil {
		t.Fatal(err)
	}
	if keyring, err = readKeyring(archiveKeys); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.Verify(inRelease, now); err != nil {
		t.Errorf("Debian's own index: %v", err)
	}
	// Two keys signed it: bookworm's ends in 2031, trixie's in 2035.
	if _, err := keyring.Verify(inRelease, time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Errorf("with one of two keys expired: %v", err)
	}
	if _, err := keyring.Verify(inRelease, time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("with all keys expired: %v", err)
	}
	if _, err := readKeyring([]byte("no key")); err == nil {
		t.Error("a broken keyring is no error")
	}
}

// A package that the mirror has changed is refused, and nothing of it stays.
func TestTamperedPackage(t *testing.T) {
	const path = "debian/pool/main/n/netbase/netbase_6.5_all.deb"
	for name, tc := range map[string]struct {
		tamper func([]byte) []byte
		want   string
	}{
		"flipped byte": {flip, "package netbase 6.5: fetch .*: the mirror has a different file: its SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}"},
		"shorter":      {func(b []byte) []byte { return b[:len(b)-1] }, "it has [0-9]+ bytes instead of [0-9]+"},
		"longer":       {func(b []byte) []byte { return append(b, 0) }, "it has [0-9]+ bytes instead of [0-9]+"},
		"missing":      {func([]byte) []byte { return nil }, "package netbase 6.5: .*: the mirror does not have it any more; run \"mage lock\", or use Debian's snapshot service"},
	} {
		t.Run(name, func(t *testing.T) {
			a := testArchive(t)
			r := request(t, a)
			s := mustFind(t, mustLock(t, r), plan.BaseStatic)
			good := a.Get(path)
			a.Put(path, tc.tamper(a.Get(path)))
			_, err := s.Tree(t.Context(), r.Mirror, t.TempDir())
			if err == nil || !matches(t, tc.want, err.Error()) {
				t.Errorf("Tree gives %v, want %s", err, tc.want)
			}
			i := 0
			for s.Locked[i].Name != "netbase" {
				i++
			}
			if _, err := os.Stat(filepath.Join(r.Mirror.Cache, s.Locked[i].SHA256)); err == nil {
				t.Error("the package is in the cache")
			}
			a.Put(path, good)
			mustTree(t, s, r.Mirror)
		})
	}
}

// What is in the cache is hashed before it is used: a file that was changed there is
// fetched again.
func TestTamperedCache(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	s := mustFind(t, mustLock(t, r), plan.BaseStatic)
	want := digest(t, mustTree(t, s, r.Mirror))
	name := filepath.Join(r.Mirror.Cache, s.Locked[2].SHA256)
	b, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, flip(b), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.Requests()
	if digest(t, mustTree(t, s, r.Mirror)) != want {
		t.Error("the tree is another")
	}
	if got := a.Requests(); len(got) != 1 {
		t.Errorf("the mirror was asked for %q", got)
	}
}

// A package that is used again is not one that a cache's owner would trim.
func TestUse(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	s := mustFind(t, mustLock(t, r), plan.BaseStatic)
	mustTree(t, s, r.Mirror)
	name, old := filepath.Join(r.Mirror.Cache, s.Locked[0].SHA256), time.Now().Add(-48*time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	mustTree(t, s, r.Mirror)
	if info, err := os.Stat(name); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("the package's time is not that of its use: %v, %v", info, err)
	}
}

// A download that is cut off is continued: within a run, and in the next one.
func TestResume(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	s := mustFind(t, mustLock(t, r), plan.BaseStatic)
	const path = "debian/pool/main/n/netbase/netbase_6.5_all.deb"
	deb := a.Get(path)
	var ranges []string
	cut, ignoreRange := 0, false
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/"+path {
			return false
		}
		ranges = append(ranges, r.Header.Get("Range"))
		if ignoreRange {
			r.Header.Del("Range")
		}
		if cut == 0 {
			return false
		}
		if cut--; cut%2 == 0 { // some have the length, some do not
			w.Header().Set("Content-Length", fmt.Sprint(len(deb)))
		}
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(deb)-1, len(deb)))
			w.Header().Del("Content-Length")
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(deb[from : from+10])
		return true
	})
	cut = attempts
	_, err := s.Tree(t.Context(), r.Mirror, t.TempDir())
	if err == nil || !matches(t, fmt.Sprintf("package netbase 6.5: fetch http.*: the mirror sent %d of %d bytes", 10*attempts, len(deb)), err.Error()) {
		t.Errorf("a mirror that cuts off all the time gives %v", err)
	}
	mustTree(t, s, r.Mirror)
	if want := "[ bytes=10- bytes=20- bytes=30- bytes=40- bytes=50-]"; fmt.Sprint(ranges) != want {
		t.Errorf("the mirror was asked for %v, want %s", ranges, want)
	}

	// A mirror that knows no ranges sends all; what came before is dropped.
	r.Mirror.Cache, ranges, cut, ignoreRange = t.TempDir(), nil, 1, true
	mustTree(t, s, r.Mirror)
	if want := "[ bytes=10-]"; fmt.Sprint(ranges) != want {
		t.Errorf("the mirror was asked for %v, want %s", ranges, want)
	}

	// What was left by a run is not trusted: it is continued, found wrong, and fetched.
	for name, left := range map[string][]byte{"wrong": []byte("evil bytes"), "too long": make([]byte, len(deb)+1), "as long": make([]byte, len(deb))} {
		r.Mirror.Cache, cut, ignoreRange = t.TempDir(), 0, false
		for _, p := range s.Locked {
			if err := os.WriteFile(filepath.Join(r.Mirror.Cache, p.SHA256+".partial"), left, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Tree(t.Context(), r.Mirror, t.TempDir()); err != nil {
			t.Errorf("after something %s was left: %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(r.Mirror.Cache, "*.partial")); err != nil || len(left) > 0 {
		t.Errorf("%q is left (%v)", left, err)
	}
}

// Hostile packages, with a hash that the lock has: what reaches out of the tree, or is
// more than anybody needs, is refused whoever signed it.
func TestHostilePackage(t *testing.T) {
	testtool.NotShort(t)
	file := func(name string) debiantest.Entry {
		e := debiantest.File("x", "evil")
		e.Name = name
		return e
	}
	typed := func(flag byte) debiantest.Entry {
		return debiantest.Entry{Header: tar.Header{Name: "./dev/sda", Typeflag: flag, Mode: 0o666, Devmajor: 8}}
	}
	for name, tc := range map[string]struct {
		entries []debiantest.Entry
		want    string
	}{
		"parent":                        {[]debiantest.Entry{file("../etc/passwd")}, `"../etc/passwd": the path has .. and leaves the image`},
		"parent within":                 {[]debiantest.Entry{file("./usr/../../etc/passwd")}, "the path has .."},
		"absolute":                      {[]debiantest.Entry{file("/etc/shadow")}, "the path is absolute"},
		"unclean":                       {[]debiantest.Entry{file("./usr//./x")}, "the path is not clean"},
		"long":                          {[]debiantest.Entry{file("./" + strings.Repeat("a", 5000))}, "the path is too long"},
		"symlink out":                   {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./usr/x", "../../etc/passwd")}, "a symlink to \"../../etc/passwd\" leaves the image"},
		"symlink out by detour":         {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./usr/x", "a/../../..")}, "leaves the image"},
		"absolute symlink out":          {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./usr/x", "/../etc/passwd")}, "leaves the image"},
		"absolute link, written into":   {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./srv", "/etc"), file("./srv/passwd")}, "/srv is not a folder"},
		"empty symlink":                 {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./usr/x", "")}, "a symlink without a target"},
		"hard link out":                 {[]debiantest.Entry{debiantest.Link(tar.TypeLink, "./usr/x", "../../etc/shadow")}, `a hard link to "../../etc/shadow": the path has ..`},
		"absolute hard link":            {[]debiantest.Entry{debiantest.Link(tar.TypeLink, "./usr/x", "/etc/shadow")}, `a hard link to "/etc/shadow": the path is absolute`},
		"hard link to others":           {[]debiantest.Entry{debiantest.Link(tar.TypeLink, "./usr/x", "./etc/services")}, `a hard link to "etc/services", which is not an earlier file`},
		"hard link to a symlink":        {[]debiantest.Entry{debiantest.Link(tar.TypeSymlink, "./a", "b"), debiantest.Link(tar.TypeLink, "./usr/x", "./a")}, "which is not an earlier file"},
		"hard link to a link":           {[]debiantest.Entry{debiantest.Link(tar.TypeLink, "./a", "./b"), debiantest.Link(tar.TypeLink, "./b", "./a")}, "which is not an earlier file"},
		"device":                        {[]debiantest.Entry{typed(tar.TypeBlock)}, "not a file, folder or link"},
		"character device":              {[]debiantest.Entry{typed(tar.TypeChar)}, "not a file, folder or link"},
		"fifo":                          {[]debiantest.Entry{typed(tar.TypeFifo)}, "not a file, folder or link"},
		"twice":                         {[]debiantest.Entry{file("./etc/x"), file("etc/x")}, "it appears twice"},
		"the root as a file":            {[]debiantest.Entry{file(".")}, "the root is a folder"},
		"file of another package":       {[]debiantest.Entry{file("./etc/debian_version")}, "/etc/debian_version is in package base-files too"},
		"folder of another as a file":   {[]debiantest.Entry{file("./usr/lib")}, "/usr/lib is in package base-files too"},
		"status of another":             {[]debiantest.Entry{file("./var/lib/dpkg/status.d/base-files")}, "is in package base-files too"},
		"10 GiB of zeros":               {[]debiantest.Entry{{Header: file("./zeros").Header, Zeros: 10 << 30}}, "its files come to more than 2147483648 bytes"},
		"10 GiB of zeros in many files": {bomb(), "its files come to more than 269484032 bytes"},
		"too many entries":              {folders(1001), "it has more than 1000 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "too many entries" {
				defer func(limit int) { maxEntries = limit }(maxEntries)
				maxEntries = 1000
			}
			if name == "10 GiB of zeros in many files" {
				defer func(limit int64) { maxUnpacked = limit }(maxUnpacked)
				maxUnpacked = 257 << 20
			}
			a := debiantest.New(t)
			a.Packages["trixie"] = []debiantest.Package{
				{Name: "base-files", Version: "1", Files: []debiantest.Entry{debiantest.Folder("usr"), debiantest.Folder("usr/lib"), debiantest.File("etc/debian_version", "13")}},
				{Name: "evil", Version: "1", Files: tc.entries, Compression: "zst"},
			}
			a.Publish(t)
			r := request(t, a)
			r.Selections = []plan.DebianSelection{{Base: plan.BaseDebian, With: []string{"base-files", "evil"}, Architecture: "amd64"}}
			dir := t.TempDir()
			_, err := mustFind(t, mustLock(t, r), plan.BaseDebian, "base-files", "evil").Tree(t.Context(), r.Mirror, dir)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Tree gives %v, want %q in it", err, tc.want)
			}
			if spooled := folderSize(t, dir); spooled > 257<<20 {
				t.Errorf("%d bytes were unpacked before", spooled)
			}
		})
	}
}

// bomb is 10 GiB in files that each are small enough.
func bomb() []debiantest.Entry {
	var entries []debiantest.Entry
	for i := range 40 {
		e := debiantest.File(fmt.Sprintf("zeros%d", i), "")
		e.Zeros = 256 << 20
		entries = append(entries, e)
	}
	return entries
}

func folders(n int) (entries []debiantest.Entry) {
	for i := range n {
		entries = append(entries, debiantest.Folder(fmt.Sprint("folder", i)))
	}
	return entries
}

func folderSize(t *testing.T, dir string) int64 {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

// What is no .deb is refused with the reason.
func TestBrokenDeb(t *testing.T) {
	good := debiantest.Package{Name: "good", Version: "1", Files: []debiantest.Entry{debiantest.File("x", strings.Repeat("content", 1000))}}
	version, control := []byte("2.0\n"), debiantest.Tar(t, ".gz", []debiantest.Entry{debiantest.File("control", good.Control())})
	data := debiantest.Tar(t, ".xz", good.Files)
	greedy := bytes.Clone(data)
	greedy[12+4] = 40 // the dictionary's size: 4 GiB
	header := greedy[12 : 12+(int(greedy[12])+1)*4]
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	for name, tc := range map[string]struct {
		deb  []byte
		want string
	}{
		"empty":                 {nil, "it is not an ar archive"},
		"no ar":                 {[]byte("PK\x03\x04 and so on"), "it is not an ar archive"},
		"another format":        {debiantest.Ar("debian-binary", []byte("3.0\n")), "so it is not a package of format 2"},
		"another first member":  {debiantest.Ar("control.tar.gz", control), "so it is not a package of format 2"},
		"no control.tar":        {debiantest.Ar("debian-binary", version), "it has no control.tar"},
		"no data.tar":           {debiantest.Ar("debian-binary", version, "control.tar.gz", control), "it has no data.tar"},
		"other order":           {debiantest.Ar("debian-binary", version, "data.tar.xz", data, "control.tar.gz", control), `it has "data.tar.xz" where control.tar should be`},
		"unknown compression":   {debiantest.Ar("debian-binary", version, "control.tar.lz", control), `compression ".lz" is unknown; supported are .xz, .zst and .gz`},
		"no control file":       {debiantest.Ar("debian-binary", version, "control.tar.gz", debiantest.Tar(t, ".gz", nil)), "it has no control file"},
		"control file twice":    {debiantest.Ar("debian-binary", version, "control.tar.gz", debiantest.Tar(t, ".gz", []debiantest.Entry{debiantest.File("control", "a"), debiantest.File("control", "b")})), "appears twice"},
		"control files a bomb":  {debiantest.Ar("debian-binary", version, "control.tar.gz", debiantest.Tar(t, ".gz", []debiantest.Entry{debiantest.File("control", strings.Repeat("a", maxControl+1))})), "more than 16777216 bytes"},
		"too greedy":            {debiantest.Ar("debian-binary", version, "control.tar.gz", control, "data.tar.xz", greedy), "a block needs a dictionary of more than 64 MiB"},
		"broken compression":    {debiantest.Ar("debian-binary", version, "control.tar.gz", control, "data.tar.xz", flip(data)), "data.tar"},
		"cut off in a member":   {good.Deb(t)[:400], "truncated"},
		"cut off in the middle": {debiantest.Ar("debian-binary", version, "control.tar.gz", control, "data.tar", debiantest.Tar(t, "", good.Files)[:1024]), "truncated"},
		"broken ar header":      {append([]byte("!<arch>\n"), bytes.Repeat([]byte("x"), 60)...), "its ar archive has a broken header"},
	} {
		spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = unpack(t.Context(), bytes.NewReader(tc.deb), spool, true)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: unpack gives %v, want %q in it", name, err, tc.want)
		}
		if err := spool.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A package under a name or version that its control file does not have is refused.
func TestMislabelledPackage(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	s := mustFind(t, mustLock(t, r), plan.BaseStatic)
	for i := range s.Locked {
		if s.Locked[i].Name == "netbase" {
			s.Locked[i].Version = "6.6"
		}
	}
	_, err := s.Tree(t.Context(), r.Mirror, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "it is netbase 6.5 for all") {
		t.Errorf("Tree gives %v", err)
	}
}

// What another attempt would not change is asked for once.
func TestErrorsAreNotRetried(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true })
	if _, err := Lock(t.Context(), r); err == nil || errors.Is(err, errGone) || len(a.Requests()) != 1 {
		t.Errorf("Lock gives %v", err)
	}
	for name, cause := range map[string]error{
		"-offline":     &offline.Error{Address: "mirror.example.com:80"},
		"unknown host": &net.DNSError{Err: "no such host", Name: "mirror.example.com", IsNotFound: true},
	} {
		asked := 0
		r.Mirror.Client = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, cause
		})}
		if _, err := Lock(t.Context(), r); !errors.Is(err, cause) || asked != 1 {
			t.Errorf("%s: Lock asks %d times and gives %v", name, asked, err)
		}
	}
	asked := 0
	r.Mirror.Client = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		asked++
		return nil, syscall.ECONNREFUSED
	})}
	if _, err := Lock(t.Context(), r); !errors.Is(err, syscall.ECONNREFUSED) || asked != attempts || !strings.HasSuffix(err.Error(), "; check the network and the proxy, or set another mirror in Config.Debian.Mirror") {
		t.Errorf("a mirror that is restarted is asked %d times, and Lock gives %v", asked, err)
	}
}

// transport answers requests.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
