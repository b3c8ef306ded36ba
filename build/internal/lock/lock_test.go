package lock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// example is a lock with one of everything, in no order.
func example() *plan.Lock {
	arm := plan.Platform{OS: "linux", Architecture: "arm64"}
	amd := plan.Platform{OS: "linux", Architecture: "amd64"}
	return &plan.Lock{
		Version: 1,
		Debian: []plan.DebianLock{{
			Suite: "trixie",
			Indexes: []plan.DebianIndex{
				{Archive: "debian-security", Suite: "trixie-security", Date: "2026-11-01T00:00:00Z"},
				{Archive: "debian", Suite: "trixie", Date: "2026-11-01T00:00:00Z", Snapshot: "20261101T000000Z"},
			},
			Selections: []plan.DebianSelection{{Base: plan.BaseStatic, Architecture: "amd64", Packages: []string{"tzdata=2026f-0+deb13u1", "netbase=6.5"}}},
			Packages: []plan.DebianPackage{
				{Name: "tzdata", Version: "2026f-0+deb13u1", Architecture: "all", Maintainer: "A <a@example.com>", Archive: "debian", Path: "pool/main/t/tzdata/tzdata_2026f-0+deb13u1_all.deb", Size: 7, SHA256: hash},
				{Name: "netbase", Version: "6.5", Architecture: "all", Archive: "debian", Path: "pool/main/n/netbase/netbase_6.5_all.deb", Size: 7, SHA256: hash},
			},
		}},
		Images: []plan.ImageLock{{
			Reference: "ghcr.io/acme/base:1", Digest: "sha256:" + hash, MediaType: "application/vnd.oci.image.index.v1+json",
			Platforms: []plan.ImagePlatformLock{
				{Platform: arm, Digest: "sha256:" + hash, MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 5},
				{Platform: amd, Digest: "sha256:" + hash, MediaType: "application/vnd.oci.image.manifest.v1+json", Size: 5},
			},
		}},
	}
}

func TestOneText(t *testing.T) {
	l := example()
	text, err := lock.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if l.Debian[0].Packages[0].Name != "tzdata" {
		t.Error("writing a lock has changed it")
	}
	slices.Reverse(l.Debian[0].Packages)
	slices.Reverse(l.Debian[0].Indexes)
	slices.Reverse(l.Images[0].Platforms)
	other, err := lock.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, other) {
		t.Error("the order of a lock shows in its text")
	}
	if !bytes.Contains(text, []byte("A <a@example.com>")) || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("the text is\n%s", text)
	}
	again, err := lock.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if changes := lock.Compare(l, again); len(changes) > 0 {
		t.Errorf("read again, it differs: %v", changes)
	}
	file := filepath.Join(t.TempDir(), lock.File)
	if err := lock.Write(file, l); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Write(file, again); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("an unchanged lock was written again")
	}
}

func TestRefused(t *testing.T) {
	change := func(f func(*plan.Lock)) string {
		l := example()
		f(l)
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "malformed"},
		"no version":       {"{}", "it has no version"},
		"newer":            {`{"version":2,"other":[]}`, "its version is 2, but this thimble supports 1; update the kit"},
		"unknown field":    {`{"version":1,"x":1}`, "unknown field"},
		"something behind": {`{"version":1}{}`, "malformed"},
		"conflict":         {"{\n<<<<<<< HEAD\n", "conflict markers"},
		"path leaves":      {change(func(l *plan.Lock) { l.Debian[0].Packages[0].Path = "../../etc/passwd" }), "is not a path"},
		"path is a query":  {change(func(l *plan.Lock) { l.Debian[0].Packages[0].Path = "pool/x?y" }), "is not a path"},
		"archive leaves":   {change(func(l *plan.Lock) { l.Debian[0].Packages[0].Archive = "../x" }), "is not a path"},
		"no hash":          {change(func(l *plan.Lock) { l.Debian[0].Packages[0].SHA256 = "abc" }), "no SHA-256"},
		"twice":            {change(func(l *plan.Lock) { l.Debian[0].Packages[1] = l.Debian[0].Packages[0] }), "appears twice"},
		"not pinned":       {change(func(l *plan.Lock) { l.Debian[0].Selections[0].Packages[0] = "libc6=2" }), "not pinned"},
		"bad date":         {change(func(l *plan.Lock) { l.Debian[0].Indexes[0].Date = "yesterday" }), "RFC 3339"},
		"bad digest":       {change(func(l *plan.Lock) { l.Images[0].Platforms[0].Digest = "sha256:x" }), "no digest"},
		"platform twice":   {change(func(l *plan.Lock) { l.Images[0].Platforms[1] = l.Images[0].Platforms[0] }), "appears twice"},
	} {
		if _, err := lock.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if _, err := lock.Parse([]byte(`{"version":2}`)); !errors.Is(err, lock.ErrNewer) {
		t.Errorf("a newer file is %v", err)
	}
}

func TestSelect(t *testing.T) {
	arm := plan.Platform{OS: "linux", Architecture: "arm64"}
	s390x := plan.Platform{OS: "linux", Architecture: "s390x"}
	image := func(p ...plan.Platform) []lock.Use {
		return lock.Uses([]plan.Image{{Base: plan.BaseScratch}, {Base: "ghcr.io/acme/base:1"}, {Base: "ghcr.io/acme/base:1"}}, p)
	}
	part, err := lock.Select(example(), "trixie", image(arm))
	if err != nil || len(part.Debian) != 0 || len(part.Images) != 1 || len(part.Images[0].Platforms) != 1 {
		t.Errorf("the part is %+v, error %v", part, err)
	}
	if part, err := lock.Select(nil, "trixie", lock.Uses([]plan.Image{{Base: plan.BaseScratch}}, []plan.Platform{arm})); part != nil || err != nil {
		t.Errorf("scratch needs %v, error %v", part, err)
	}
	for _, c := range []struct {
		l    *plan.Lock
		uses []lock.Use
		want string
	}{
		{nil, image(arm), `there is no thimble.lock.json; run "mage lock"`},
		{example(), image(s390x), "is not pinned for linux/s390x, only for linux/amd64, linux/arm64"},
		{example(), []lock.Use{{Base: "ghcr.io/acme/other:1", Platform: arm}}, `is not pinned; run "mage lock"`},
		{example(), []lock.Use{{Base: plan.BaseStatic, Platform: arm}}, `is not pinned for linux/arm64; run "mage lock"`},
	} {
		if _, err := lock.Select(c.l, "trixie", c.uses); !errors.Is(err, lock.ErrMissing) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestCompare(t *testing.T) {
	after := example()
	after.Debian[0].Packages[0].Version, after.Debian[0].Selections[0].Packages[0] = "2026g-0", "tzdata=2026g-0"
	after.Images = nil
	var lines []string
	for _, c := range lock.Compare(example(), after) {
		lines = append(lines, c.String())
	}
	want := []string{
		"- ghcr.io/acme/base:1 sha256:" + hash,
		"- ghcr.io/acme/base:1 (linux/amd64) sha256:" + hash,
		"- ghcr.io/acme/base:1 (linux/arm64) sha256:" + hash,
		"~ tzdata (trixie all) 2026f-0+deb13u1 → 2026g-0",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("changes are %q, want %q", lines, want)
	}
}

// FuzzParse wants that whatever is read can be written, and is the same then.
func FuzzParse(f *testing.F) {
	text, err := lock.Marshal(example())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := lock.Parse(b)
		if err != nil {
			return
		}
		text, err := lock.Marshal(l)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := lock.Parse(text)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		other, err := lock.Marshal(again)
		if err != nil || !bytes.Equal(text, other) {
			t.Fatalf("two texts, error %v:\n%s\n%s", err, text, other)
		}
	})
}
