package delve

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
)

// The module that pins delve for repositories that do not.
var (
	//go:embed pinned/go.mod.txt
	pinnedMod []byte
	//go:embed pinned/go.sum.txt
	pinnedSum []byte
)

// Pinned returns delve in the version that this package pins. It writes the go.mod into dir, a folder
// of a cache. env and more are those of Find.
func Pinned(ctx context.Context, dir string, env []string, more ...string) (*Source, error) {
	err := os.MkdirAll(dir, 0o755)
	for name, content := range map[string][]byte{"go.mod": pinnedMod, "go.sum": pinnedSum} {
		if err == nil {
			err = atomicfile.Write(filepath.Join(dir, name), content, 0o644)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find delve: %w", err)
	}
	return open(ctx, dir, env, more)
}
