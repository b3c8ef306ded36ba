package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/thimble-build/thimble/build/internal/filesum"
)

const (
	manifestName = "manifest.json"
	summaryName  = "summary.md"
)

// managed are the folders that hold exactly what the last run made, and the one file
// beside them and the manifest.
var managed = []string{"archives", "bin", "debug", "oci", "sbom", "verify", summaryName}

// Dist is the output folder while one run changes it. Copy, Write and Layout may
// be called from several goroutines, Commit and Close after them.
type Dist struct {
	*folder
	sums filesum.Sums

	mu sync.Mutex
	// files is everything that the folder shall hold, by slash-separated path:
	// true where it waits in the stage, false where it is in place already.
	files map[string]bool
}

// Open makes the folder if it is missing and takes its lock. While another run
// holds the lock, Open waits until ctx ends, and calls waiting, unless it is nil,
// once before that. What a killed run has left in the stage is removed.
//
// A folder that cannot be written is an error here rather than after the work is
// done; so is a folder with files in it that was not made by this package.
func Open(ctx context.Context, dir string, waiting func(), sums filesum.Sums) (*Dist, error) {
	f, err := openFolder(ctx, dir, waiting)
	if err != nil {
		return nil, err
	}
	return &Dist{folder: f, sums: sums, files: map[string]bool{}}, nil
}

// Remove removes everything that this package puts into dir, waiting for the lock
// as Open does, and dir itself if it is then empty. A missing folder is no error.
func Remove(ctx context.Context, dir string, waiting func()) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := Open(ctx, dir, waiting, filesum.Sums{})
	if err != nil {
		return err
	}
	err = d.replace(nil)
	if err == nil {
		d.made, d.marked = []string{dir}, true
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}

// Close gives the lock back. Without a Commit before it, the folder is then as it
// was before Open, and missing if it was missing. Only the first call does
// anything; Commit closes as well when it succeeds.
func (d *Dist) Close() error { return d.close() }
