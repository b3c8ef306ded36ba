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
// folder for what waits until it is moved to its place.
type folder struct {
	dir  string
	lock *flock.Flock
	// made are the folders that openFolder had to make, the innermost first; marked
	// says that it wrote the marker. close takes both back.
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

// close gives the lock back; see Dist.Close.
func (d *folder) close() error {
	if !d.lock.Locked() {
		return nil
	}
	if !d.named() {
		return d.abandon()
	}
	err := errors.Join(os.RemoveAll(d.path(stageName)), d.unmark())
	if runtime.GOOS == "windows" { // where nobody can remove an open file
		err = errors.Join(err, d.lock.Unlock())
		_ = os.Remove(d.lock.Path()) // fails when another run has it open, which is fine
	} else { // where the lock must not be another run's when its name goes
		err = errors.Join(err, os.Remove(d.lock.Path()), d.lock.Unlock())
	}
	d.removeMade()
	if err != nil {
		return fmt.Errorf("close %s: %w", d.dir, err)
	}
	return nil
}

// abandon is close where somebody has removed the folder meanwhile. If there is a lock
// again, the folder is another run's.
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

// acquire gets the lock of a folder that exists and is marked.
func (d *folder) acquire(ctx context.Context, waiting func()) error {
	const tries = 100 // two seconds in which others remove the folder at each turn
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
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) && vanished < tries: // the same with the whole folder, or a part
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

// prepare makes the folder and its marker. The marker comes before everything else
// that the folder ever holds, so that git overlooks the lock and the stage. An error that
// is fs.ErrNotExist or fs.ErrExist says that another run has changed the folder meanwhile, and
// that the caller has to look again: MkdirAll returns the latter for a folder that is made and
// removed while it looks.
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
	// Never truncated: a run that has found the marker relies on it.
	f, err := os.OpenFile(d.path(markerName), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	d.marked = true
	_, err = f.WriteString(marker)
	return errors.Join(err, f.Close())
}

// isMarked says that the folder has the marker. False without an error is a folder that may
// get one: it has none, or the empty one of a run that was killed while writing it.
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

// foreign judges a folder in which an entry was seen after the marker was not. If another
// run has written both meanwhile there is nothing to say against it, nor if it has removed
// both again.
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
	return fmt.Sprintf("the folder holds %s and no %s that says %q, so it is not an output folder; empty it or choose another", string(e), markerName, strings.TrimSpace(marker))
}

// current says that the lock held is the one that others find in the folder.
func (d *folder) current() bool {
	if !d.named() {
		return false
	}
	_, err := os.Stat(d.path(markerName))
	return err == nil
}

// named says that the lock held is still that of the folder.
func (d *folder) named() bool {
	held, err := d.lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(d.lock.Path())
	return err == nil && os.SameFile(held, named)
}

// giveUp takes back what prepare made where acquire has failed.
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

// unmark removes the marker that prepare wrote, unless there is something beside it. Only a
// run that holds the lock may do so: the marker of a folder that is locked stays.
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

// removeMade removes the folders that prepare made, unless there is something in them by
// now: another run's, or what Commit put there.
func (d *folder) removeMade() {
	for _, p := range d.made {
		if os.Remove(p) != nil {
			break
		}
	}
}

// path is where a file of the folder lies.
func (d *folder) path(rel string) string { return filepath.Join(d.dir, filepath.FromSlash(rel)) }

// staged is where a file waits for Commit.
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

// clearWay makes the folders that lead to rel. What is in the way, such as a file
// where a folder has to be, is none of this run's.
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
		return errors.New("a file is where the output folder goes; remove it, or choose another folder")
	}
	return fmt.Errorf("%s is not a folder that can be written to: %w", dir, err)
}
