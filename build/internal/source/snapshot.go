package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Snapshot is the stat data of files, by their absolute paths.
type Snapshot map[string]stat

// stat is what changes when a file does. A file that is not there has the zero value.
type stat struct {
	size          int64
	mode          fs.FileMode
	inode         uint64
	changed       time.Duration // the ctime since 1970; 0 where there is none
	modified      int64         // the mtime in nanoseconds since 1970
	linked        string
	linkedChanged time.Duration
}

// Take is the stat data of the files now. Of a symlink, it is that of the symlink and of
// what it leads to.
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
	if info.IsDir() { // whose time says what is in it, and thimble writes into the top
		s.size, s.modified, s.changed = 0, 0, 0
	}
	return s
}

// Changed is the first of the files that is not as it was before; "" if all are. A file
// that the snapshot does not have counts as changed.
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

// Newest is the time of the latest change to the content of one of the files.
func (s Snapshot) Newest() time.Time {
	var newest int64
	for _, of := range s {
		newest = max(newest, of.modified)
	}
	return time.Unix(0, newest)
}
