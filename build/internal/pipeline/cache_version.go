package pipeline

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/semver"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// kitCacheVersion identifies the build of thimble that caches a value. A released version is
// enough. For any other version it is the content of the executable, which mage links anew for
// every call.
func kitCacheVersion(ctx context.Context, k plan.Kit) (string, error) {
	if semver.IsValid(k.Version) && semver.Build(k.Version) == "" {
		return k.Version + "-", nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find thimble's own executable: %w", err)
	}
	f, err := os.Open(exe)
	if err != nil {
		return "", fmt.Errorf("read thimble's own executable: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if id, ok := buildID(f); ok {
		h.Write(id)
	} else if _, err := io.Copy(h, limit.Reader(ctx, f)); err != nil {
		return "", fmt.Errorf("read thimble's own executable: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)) + "-", nil
}

// buildID returns the note that the linker writes into an ELF file. It contains a hash of the
// whole file, so the rest need not be read.
func buildID(r io.ReaderAt) ([]byte, bool) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, false
	}
	note := f.Section(".note.go.buildid")
	if note == nil {
		return nil, false
	}
	id, err := note.Data()
	return id, err == nil && len(id) > 0
}
