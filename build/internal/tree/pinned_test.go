package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/plan"
)

// A pinned tree has the content of that moment, or reading it is an error.
func TestPinned(t *testing.T) {
	dir := t.TempDir()
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "page"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	assets, err := Assets(dir, plan.Image{Assets: []plan.Asset{{Source: "page", Target: "/srv/page"}}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if err := assets.WriteTar(h); err != nil {
		t.Fatal(err)
	}
	pinned, sum, err := assets.Pinned(t.Context())
	if err != nil || sum != hex.EncodeToString(h.Sum(nil)) {
		t.Fatalf("the tar is %x, and Pinned says %s, %v", h.Sum(nil), sum, err)
	}
	describe := func() error {
		c, err := pinned.Components(t.Context())
		if err == nil && (len(c) != 1 || len(c[0].Files) != 1) {
			t.Errorf("components: %+v", c)
		}
		return err
	}
	for name, read := range map[string]func() error{
		"write":    func() error { return pinned.WriteTar(io.Discard) },
		"describe": describe,
	} {
		write("first")
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		write("other") // of the same size
		if err := read(); !errors.Is(err, filesum.ErrChanged) {
			t.Errorf("%s after a change: %v", name, err)
		}
	}
}
