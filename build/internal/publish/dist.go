package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	manifestName = "manifest.json"
	markerName   = ".gitignore"
	marker       = "*\n"
	lockName     = ".lock"
	stageName    = ".stage"
	summaryName  = "summary.md"
)

// managed are the folders that hold exactly what the last run made, and the one file
// beside them and the manifest.
var managed = []string{"archives", "bin", "debug", "oci", "sbom", "verify", summaryName}

// Dist is the output folder while one run changes it. Link, Write and Layout may
// be called from several goroutines, Commit and Close after them.
type Dist struct {
	dir  string
	lock *flock.Flock
	// made are the folders that Open had to make, the innermost first; marked
	// says that it wrote the marker. Close takes both back.
	made   []string
	marked bool

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
func Open(ctx context.Context, dir string, waiting func()) (*Dist, error) {
	d := &Dist{
		dir:   dir,
		lock:  flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o644)),
		files: map[string]bool{},
	}
	if err := d.acquire(ctx, waiting); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, errors.Join(err, d.takeBack()))
	}
	err := os.RemoveAll(d.path(stageName))
	if err == nil {
		err = os.Mkdir(d.path(stageName), 0o777)
	}
	if err != nil {
		return nil, errors.Join(notWritable(dir, err), d.Close())
	}
	return d, nil
}

// Remove removes everything that this package puts into dir, waiting for the lock
// as Open does, and dir itself if it is then empty. A missing folder is no error.
func Remove(ctx context.Context, dir string, waiting func()) error {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := Open(ctx, dir, waiting)
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
func (d *Dist) Close() error {
	if !d.lock.Locked() {
		return nil
	}
	if !d.named() {
		return d.abandon()
	}
	err := os.RemoveAll(d.path(stageName))
	if runtime.GOOS == "windows" { // where nobody can remove an open file
		err = errors.Join(err, d.lock.Unlock())
		_ = os.Remove(d.lock.Path()) // fails when another run has it open, which is fine
	} else { // where the lock must not be another run's when its name goes
		err = errors.Join(err, os.Remove(d.lock.Path()), d.lock.Unlock())
	}
	if err = errors.Join(err, d.takeBack()); err != nil {
		return fmt.Errorf("close %s: %w", d.dir, err)
	}
	return nil
}

// abandon is Close where somebody has removed the folder meanwhile. If there is a lock
// again, the folder is another run's.
func (d *Dist) abandon() error {
	var err error
	if _, statErr := os.Lstat(d.lock.Path()); errors.Is(statErr, fs.ErrNotExist) {
		err = os.RemoveAll(d.path(stageName))
		_ = os.Remove(d.dir) // it stays if something else is in it
	}
	if err = errors.Join(err, d.lock.Unlock()); err != nil {
		return fmt.Errorf("close %s: %w", d.dir, err)
	}
	return nil
}

// acquire gets the lock of a folder that exists and is marked.
func (d *Dist) acquire(ctx context.Context, waiting func()) error {
	for {
		if err := d.prepare(); err != nil {
			return err
		}
		locked, err := d.lock.TryLock()
		switch {
		case locked && d.current():
			return nil
		case locked: // a lock that its owner removed after it was opened here
			err = d.lock.Unlock()
		case errors.Is(err, fs.ErrNotExist): // the same with the whole folder
			err = nil
		case err != nil:
			return notWritable(d.dir, err)
		case waiting != nil:
			waiting()
			waiting = nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another run: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// prepare makes the folder and its marker. The marker comes before everything else
// that the folder ever holds, so that git overlooks the lock and the stage.
func (d *Dist) prepare() error {
	var missing []string
	for p := filepath.Clean(d.dir); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) || p == filepath.Dir(p) {
			break
		}
		missing = append(missing, p)
	}
	if len(missing) > 0 {
		if err := os.MkdirAll(d.dir, 0o777); err != nil {
			return notWritable(d.dir, err)
		}
		d.made = missing
	}
	found, err := os.ReadFile(d.path(markerName))
	if string(found) == marker {
		return nil
	}
	if info, statErr := os.Stat(d.dir); statErr == nil && !info.IsDir() {
		return errors.New("a file is where the output folder goes; remove it, or choose another folder")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return notWritable(d.dir, err)
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch n := e.Name(); {
		case n == lockName, n == stageName, n == markerName && len(found) == 0:
		default: // an empty marker is that of a run that was killed while writing it
			return fmt.Errorf("the folder holds %s and no %s that says %q, so it is not an output folder; empty it or choose another", n, markerName, strings.TrimSpace(marker))
		}
	}
	if err := os.WriteFile(d.path(markerName), []byte(marker), 0o644); err != nil {
		return notWritable(d.dir, err)
	}
	d.marked = true
	return nil
}

// current says that the lock held is the one that others find in the folder.
func (d *Dist) current() bool {
	if !d.named() {
		return false
	}
	_, err := os.Stat(d.path(markerName))
	return err == nil
}

// named says that the lock held is still that of the folder.
func (d *Dist) named() bool {
	held, err := d.lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(d.lock.Path())
	return err == nil && os.SameFile(held, named)
}

// takeBack removes the marker and the folders that prepare made, unless there is
// something in them by now.
func (d *Dist) takeBack() error {
	if d.marked {
		entries, err := os.ReadDir(d.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(entries) == 1 && entries[0].Name() == markerName {
			if err := os.Remove(d.path(markerName)); err != nil {
				return err
			}
		}
	}
	for _, p := range d.made {
		if os.Remove(p) != nil {
			break // it holds something: another run's, or what Commit put there
		}
	}
	return nil
}

// path is where a file of the folder lies, staged where it waits for Commit.
func (d *Dist) path(rel string) string { return filepath.Join(d.dir, filepath.FromSlash(rel)) }
func (d *Dist) staged(rel string) string {
	return filepath.Join(d.dir, stageName, filepath.FromSlash(rel))
}

func notWritable(dir string, err error) error {
	return fmt.Errorf("%s is not a folder that can be written to: %w", dir, err)
}
