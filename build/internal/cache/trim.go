package cache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Trim removes what was not used for longer than the limit, then what was not
// used for the longest time until the rest is within the limit of size, and what
// killed runs have left. It looks once a day; in between it does nothing.
func (c *Cache) Trim() error {
	marker := c.path("trimmed")
	now := time.Now()
	if info, err := os.Stat(marker); err == nil && now.Sub(info.ModTime()) < used {
		return nil
	}
	if err := c.trim(now); err != nil {
		return fmt.Errorf("trim the cache: %w", err)
	}
	return c.write(marker, nil)
}

type entry struct {
	path string
	size int64
	used time.Time
}

func (c *Cache) trim(now time.Time) error {
	var entries []entry
	var total int64
	for _, sub := range []string{"blobs", "layers", "values", "tmp"} {
		dir, err := os.ReadDir(c.path(sub))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, d := range dir {
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // another run was quicker
			}
			if err != nil {
				return err
			}
			e := entry{c.path(sub, d.Name()), info.Size(), info.ModTime()}
			limit := c.limits.Age
			if sub == "tmp" {
				limit = used
			}
			if now.Sub(e.used) > limit {
				if err := remove(e.path); err != nil {
					return err
				}
				continue
			}
			if sub != "tmp" {
				entries = append(entries, e)
				total += e.size
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.path, b.path)) })
	for _, e := range entries {
		if total <= c.limits.Size {
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
