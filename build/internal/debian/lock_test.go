package debian

import (
	"crypto/sha256"
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
	"github.com/thimble-build/thimble/build/plan"
)

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
		"hash":                 {func(l *plan.DebianLock) { l.Packages[0].SHA256 = "../../etc/passwd" }, plan.BaseStatic, nil, "amd64", "is not a SHA-256"},
		"version":              {func(l *plan.DebianLock) { l.Packages[0].SourceVersion = "1\n2" }, plan.BaseStatic, nil, "amd64", "has embedded spaces"},
		"suite":                {func(l *plan.DebianLock) { l.Suite = "sarge" }, plan.BaseStatic, nil, "amd64", `suite "sarge" is unknown; known are trixie and bookworm`},
		"no packages":          {func(l *plan.DebianLock) { l.Selections[2].Packages = nil }, plan.BaseStatic, nil, "amd64", "no packages for it"},
		"one twice":            {func(l *plan.DebianLock) { s := &l.Selections[2]; s.Packages = append(s.Packages, s.Packages[0]) }, plan.BaseStatic, nil, "amd64", `lists package "base-files" twice`},
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
	components, err := tr.Components(t.Context())
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
