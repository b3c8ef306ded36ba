package cache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Trim removes files that were not used for longer than the limit of age, then the least recently
// used until the rest is within the limit of size, and what killed runs have left. It runs once a
// day; in between it does nothing.
//
// downloads are other folders, which count and are trimmed like the cache: each of their files is
// independent, may be removed at any time, and has the time of its last use as its modification
// time. A file called "lock" is kept.
func (c *Cache) Trim(downloads ...string) error {
	marker := c.path("trimmed")
	now := time.Now()
	if info, err := os.Stat(marker); err == nil && now.Sub(info.ModTime()) < used {
		return nil
	}
	if err := c.trim(now, downloads); err != nil {
		return fmt.Errorf("trim the cache: %w", err)
	}
	return c.write(marker, nil)
}

type entry struct {
	path string
	size int64
	used time.Time
}

func (c *Cache) trim(now time.Time, downloads []string) error {
	var entries []entry
	var total int64
	tmp := c.path("tmp")
	for _, folder := range append([]string{c.path("blobs"), c.path("layers"), c.path("values"), tmp},
		downloads...) {
		dir, err := os.ReadDir(folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, d := range dir {
			if d.IsDir() || d.Name() == "lock" {
				continue
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // another run removed it first
			}
			if err != nil {
				return err
			}
			e := entry{filepath.Join(folder, d.Name()), info.Size(), info.ModTime()}
			limit := c.options.Age
			if folder == tmp {
				limit = used
			}
			if now.Sub(e.used) > limit {
				if err := remove(e.path); err != nil {
					return err
				}
				continue
			}
			if folder != tmp {
				entries = append(entries, e)
				total += e.size
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(a.used.Compare(b.used),
			cmp.Compare(a.path, b.path))
	})
	for _, e := range entries {
		if total <= c.options.Size {
			break
		}
		if err := remove(e.path); err != nil {
			return err
		}
		total -= e.size
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
