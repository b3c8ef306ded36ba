package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Snapshot is the stat data of files, by absolute path.
type Snapshot map[string]stat

// stat is the data that changes when a file changes. A missing file has the zero value.
type stat struct {
	size          int64
	mode          fs.FileMode
	inode         uint64
	changed       time.Duration // the ctime since 1970; 0 if there is none
	modified      int64         // the mtime in nanoseconds since 1970
	linked        string
	linkedChanged time.Duration
}

// Take returns the present stat data of the files. For a symlink it is that of the symlink and
// of its target.
func Take(files []string) (Snapshot, error) {
	s := make(Snapshot, len(files))
	for _, file := range files {
		if _, ok := s[file]; ok {
			continue
		}
		info, err := os.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			s[file] = stat{}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at the source: %w", err)
		}
		now := statOf(info)
		if info.Mode().Type() == fs.ModeSymlink {
			if now.linked, err = os.Readlink(file); err != nil {
				return nil, fmt.Errorf("look at the source: %w", err)
			}
			if to, err := os.Stat(file); err == nil {
				target := statOf(to)
				now.size, now.mode, now.inode = target.size, target.mode, target.inode
				now.linkedChanged, now.modified = target.changed, target.modified
			}
		}
		s[file] = now
	}
	return s, nil
}

func statOf(info fs.FileInfo) stat {
	s := stat{size: info.Size(), mode: info.Mode(), modified: info.ModTime().UnixNano()}
	s.inode, s.changed = inodeAndChange(info)
	if info.IsDir() { // its time depends on its content, and thimble writes into the top folder
		s.size, s.modified, s.changed = 0, 0, 0
	}
	return s
}

// Changed returns the first file that has changed since; "" if none has. A file that is not in
// the snapshot counts as changed.
func (s Snapshot) Changed(files []string) (string, error) {
	now, err := Take(files)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if before, ok := s[file]; !ok || before != now[file] {
			return file, nil
		}
	}
	return "", nil
}

// Newest returns the time of the latest change to the content of one of the files.
func (s Snapshot) Newest() time.Time {
	var newest int64
	for _, of := range s {
		newest = max(newest, of.modified)
	}
	return time.Unix(0, newest)
}

// Settled reports whether all files have last changed before a time, by so much that the clock of
// the file system shows it. Folders do not count.
func (s Snapshot) Settled(before time.Time) bool {
	for _, of := range s {
		last := max(of.modified, int64(of.changed), int64(of.linkedChanged))
		if last >= before.Add(-Tick).UnixNano() {
			return false
		}
	}
	return true
}

// Tick is longer than the resolution of the times of a usual file system.
const Tick = 20 * time.Millisecond
