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
	"time"

	"github.com/gofrs/flock"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
)

const (
	markerName = ".gitignore"
	marker     = "*\n"
	lockName   = ".lock"
	stageName  = ".stage"
)

// folder is the output folder while this run has its lock. It has the marker, and an empty
// folder for files that are moved to their place later.
type folder struct {
	dir  string
	lock *flock.Flock
	// made are the folders that openFolder made, the innermost first; marked says that it wrote
	// the marker. close removes both.
	made   []string
	marked bool
}

// openFolder makes the folder if it is missing and takes its lock; see Open.
func openFolder(ctx context.Context, dir string, waiting func()) (*folder, error) {
	d := &folder{dir: dir, lock: flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o644))}
	if err := d.acquire(ctx, waiting); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, errors.Join(err, d.giveUp()))
	}
	err := os.RemoveAll(d.path(stageName))
	if err == nil {
		err = os.Mkdir(d.path(stageName), 0o777)
	}
	if err != nil {
		return nil, errors.Join(notWritable(dir, err), d.close())
	}
	return d, nil
}

// close releases the lock; see Dist.Close.
func (d *folder) close() error {
	if !d.lock.Locked() {
		return nil
	}
	if !d.named() {
		return d.abandon()
	}
	err := errors.Join(os.RemoveAll(d.path(stageName)), d.unmark())
	if runtime.GOOS == "windows" { // an open file cannot be removed there
		err = errors.Join(err, d.lock.Unlock())
		_ = os.Remove(d.lock.Path()) // fails if another run has it open, which is fine
	} else { // the lock must be ours when its name is removed
		err = errors.Join(err, os.Remove(d.lock.Path()), d.lock.Unlock())
	}
	d.removeMade()
	if err != nil {
		return fmt.Errorf("close %s: %w", d.dir, err)
	}
	return nil
}

// abandon is close for a folder that was removed by others meanwhile. If there is a lock again,
// the folder is another run's.
func (d *folder) abandon() error {
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

// acquire takes the lock of a folder that exists and is marked.
func (d *folder) acquire(ctx context.Context, waiting func()) error {
	const tries = 100 // two seconds in which others remove the folder each time
	for vanished := 0; ; {
		locked, err := false, d.prepare()
		if err == nil {
			locked, err = d.lock.TryLock()
		}
		switch {
		case locked && d.current():
			return nil
		case locked: // a lock that its owner removed after it was opened here
			if err := d.lock.Unlock(); err != nil {
				return err
			}
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) &&
			vanished < tries: // the same for the whole folder, or a part
			vanished++
		case err != nil:
			return notWritable(d.dir, err)
		case waiting != nil:
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for another run: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// prepare makes the folder and its marker. The marker is always the first file in the folder,
// so that git ignores the lock and the stage. If the error is fs.ErrNotExist or fs.ErrExist,
// another run has changed the folder meanwhile, and the caller must try again. MkdirAll returns
// the latter if a folder is made and removed while it checks.
func (d *folder) prepare() error {
	var missing []string
	for p := filepath.Clean(d.dir); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) || p == filepath.Dir(p) {
			break
		}
		missing = append(missing, p)
	}
	if len(missing) > 0 {
		if err := os.MkdirAll(d.dir, 0o777); err != nil {
			return err
		}
		d.made = missing
	}
	if marked, err := d.isMarked(); marked || err != nil {
		return err
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); n != lockName && n != stageName && n != markerName {
			return d.foreign(n)
		}
	}
	// Never truncate it: a run that found the marker relies on it.
	f, err := os.OpenFile(d.path(markerName), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	d.marked = true
	_, err = f.WriteString(marker)
	return errors.Join(err, f.Close())
}

// isMarked reports whether the folder has the marker. False without an error means that it may
// be marked: it has no marker, or the empty one of a run that was killed while writing it.
func (d *folder) isMarked() (bool, error) {
	found, err := os.ReadFile(d.path(markerName))
	switch {
	case string(found) == marker:
		return true, nil
	case err == nil && len(found) > 0:
		return false, foreignError(markerName)
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, err
}

// foreign decides about a folder in which an entry was seen but no marker before. It returns no
// error if another run has meanwhile written both or removed both.
func (d *folder) foreign(entry string) error {
	if marked, err := d.isMarked(); marked || err != nil {
		return err
	}
	if _, err := os.Lstat(d.path(entry)); err != nil {
		return err
	}
	return foreignError(entry)
}

// A foreignError is the entry that shows that a folder was not made by this package.
type foreignError string

func (e foreignError) Error() string {
	return fmt.Sprintf(
		"the folder contains %s but no %s with %q, so it is not an output folder; empty it or choose another",
		string(e), markerName, strings.TrimSpace(marker))
}

// current reports whether our lock is the one that others find in the folder.
func (d *folder) current() bool {
	if !d.named() {
		return false
	}
	_, err := os.Stat(d.path(markerName))
	return err == nil
}

// named reports whether our lock is still that of the folder.
func (d *folder) named() bool {
	held, err := d.lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(d.lock.Path())
	return err == nil && os.SameFile(held, named)
}

// giveUp removes what prepare made after acquire has failed.
func (d *folder) giveUp() error {
	var err error
	if d.marked {
		locked, _ := d.lock.TryLock()
		if locked && d.named() {
			return d.close()
		}
		err = d.lock.Unlock()
	}
	d.removeMade()
	return err
}

// unmark removes the marker that prepare wrote, unless there are other files. Only a run that
// has the lock may do so: a locked folder keeps its marker.
func (d *folder) unmark() error {
	if !d.marked {
		return nil
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); n != markerName && n != lockName {
			return nil
		}
	}
	return os.Remove(d.path(markerName))
}

// removeMade removes the folders that prepare made, unless they contain something: files of
// another run, or of Commit.
func (d *folder) removeMade() {
	for _, p := range d.made {
		if os.Remove(p) != nil {
			break
		}
	}
}

// path returns the path of a file in the folder.
func (d *folder) path(rel string) string { return filepath.Join(d.dir, filepath.FromSlash(rel)) }

// staged returns where a file waits for Commit.
func (d *folder) staged(rel string) string {
	return filepath.Join(d.dir, stageName, filepath.FromSlash(rel))
}

// reveal moves a staged file to its place.
func (d *folder) reveal(rel string) error {
	if atomicfile.Rename(d.staged(rel), d.path(rel)) == nil {
		return nil
	}
	if err := d.clearWay(rel); err != nil {
		return err
	}
	return atomicfile.Rename(d.staged(rel), d.path(rel))
}

// clearWay makes the parent folders of rel. It removes what is in the way, such as a file in
// place of a folder: it is not from this run.
func (d *folder) clearWay(rel string) error {
	for i, c := range rel {
		if c != '/' {
			continue
		}
		folder := d.path(rel[:i])
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			continue
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		if err := os.Mkdir(folder, 0o777); err != nil {
			return err
		}
	}
	if info, err := os.Lstat(d.path(rel)); err == nil && info.IsDir() {
		return os.RemoveAll(d.path(rel))
	}
	return nil
}

func notWritable(dir string, err error) error {
	if foreign := foreignError(""); errors.As(err, &foreign) {
		return err
	}
	if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
		return errors.New("a file has the path of the output folder; remove it, or choose another folder")
	}
	return fmt.Errorf("%s is not a writable folder: %w", dir, err)
}
