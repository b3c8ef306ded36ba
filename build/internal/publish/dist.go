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

// managed are the folders that contain exactly what the last run made, and the one additional
// file beside the manifest.
var managed = []string{"archives", "bin", "debug", "oci", "sbom", "verify", summaryName}

// Dist is the output folder while one run changes it. Copy, Write and Layout may be called from
// several goroutines; Commit and Close must be called after them.
type Dist struct {
	*folder
	sums filesum.Sums

	mu sync.Mutex
	// files is everything that the folder will contain, by slash-separated path: true if it is
	// in the stage, false if it is already in place.
	files map[string]bool
}

// Open makes the folder if it is missing and takes its lock. If another run has the lock, Open
// calls waiting once, unless it is nil, and waits until ctx ends. It removes what a killed run
// left in the stage.
//
// A folder that cannot be written is an error here rather than after the work is done. So is a
// folder with files that was not made by this package.
func Open(ctx context.Context, dir string, waiting func(), sums filesum.Sums) (*Dist, error) {
	f, err := openFolder(ctx, dir, waiting)
	if err != nil {
		return nil, err
	}
	return &Dist{folder: f, sums: sums, files: map[string]bool{}}, nil
}

// Remove removes everything that this package puts into dir, and dir itself if it is then
// empty. It waits for the lock like Open. A missing folder is no error.
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

// Close releases the lock. Without a Commit before, the folder is then as it was before Open;
// if it did not exist, it is removed. Only the first call has an effect. A successful Commit
// also closes.
func (d *Dist) Close() error { return d.close() }
