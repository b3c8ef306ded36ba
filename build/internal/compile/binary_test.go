package compile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

// A binary that takes long to read is read until the run ends, by whoever reads it.
func TestBinaryIsReadUntilTheRunEnds(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // it is empty
	const size = 1 << 36
	if err := f.Truncate(size); err != nil { // sparse
		t.Fatal(err)
	}
	why := errors.New("why")
	for name, read := range map[string]func(context.Context) error{
		"hash": func(ctx context.Context) error { return (&Binary{file: f, ends: ctx, Size: size}).calculateHash() },
		"digests": func(ctx context.Context) error {
			_, err := (&Binary{file: f, ends: ctx, Size: size}).calculateDigests()
			return err
		},
	} {
		ctx, stop := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, why)
		began := time.Now()
		err := read(ctx)
		stop()
		if took := time.Since(began); !errors.Is(err, why) || took > 5*time.Second {
			t.Errorf("%s, after %s: %v", name, took, err)
		}
	}
}

// The digests of an old binary are those of the content that was hashed first.
func TestDigestsOfAnOldBinary(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "old"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() // the test has ended
	write := func(content string) {
		t.Helper()
		if _, err := f.WriteAt([]byte(content), 0); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	b := &Binary{file: f, ends: t.Context(), Size: 5, Old: true}
	if err := b.calculateHash(); err != nil {
		t.Fatal(err)
	}
	if d, err := b.calculateDigests(); err != nil || d.SHA256 != b.sum || d.SHA512 == "" {
		t.Errorf("%+v, %v", d, err)
	}
	write("other")
	if _, err := b.calculateDigests(); !errors.Is(err, filesum.ErrChanged) {
		t.Errorf("after a change: %v", err)
	}
}
