// Package modsum checks the module cache against go.sum. The go command compares a module with
// its hash when it downloads it, and later compiles the content of the module's folder without
// another check; this package hashes the folder as it is (golang.org/x/mod/sumdb/dirhash).
//
// A module that was hashed is not read again while the stat data of its files are the same (package
// filesum): they show a file that is added, removed or changed. A caller that knows which folders of
// the module are used has only these compared.
package modsum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// ErrDiffers is the cause of an error of Check if a folder does not match go.sum.
var ErrDiffers = errors.New("it does not match go.sum")

// Module is a module in the module cache.
type Module struct {
	Path, Version string
	// Sum is its hash in go.sum or go.work.sum, such as "h1:…".
	Sum string
	// Folders are the folders whose files are used, without the folders below these, relative to the
	// module and with slashes. If nil, all are used.
	Folders []string
}

// Cache is a module cache. A module that was correct is not checked again.
type Cache struct {
	dir    string
	store  filesum.Store
	always bool

	mu     sync.Mutex
	checks map[string]func() error
}

// Open returns the module cache in a folder (go env GOMODCACHE). always reads every file, even if
// its hash is in the store.
func Open(dir string, store filesum.Store, always bool) *Cache {
	return &Cache{dir: dir, store: store, always: always, checks: map[string]func() error{}}
}

// Check compares the modules with their sums. A module that was correct is hashed again only if a
// file in its Folders has changed. The error names the module and, if its zip file exists or a file
// was changed recently, the file.
func (c *Cache) Check(ctx context.Context, modules []Module) error {
	return each(ctx, modules, func(ctx context.Context, m Module) error { return c.once(ctx, m)() })
}

// CheckNow is Check of the folders as they are now: also of those that were correct before.
func (c *Cache) CheckNow(ctx context.Context, modules ...Module) error {
	return each(ctx, modules, func(ctx context.Context, m Module) error { return c.check(ctx, m) })
}

// each checks several modules at once.
func each(ctx context.Context, modules []Module, check func(context.Context, Module) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, m := range modules {
		g.Go(func() error {
			if err := check(ctx, m); err != nil {
				return fmt.Errorf("check module %s %s: %w", m.Path, m.Version, err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (c *Cache) once(ctx context.Context, m Module) func() error {
	key := fmt.Sprintf("%q", m)
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.checks[key]
	if f == nil {
		f = sync.OnceValue(func() error {
			err := c.check(ctx, m)
			if err != nil { // it may be downloaded, or repaired, meanwhile
				c.mu.Lock()
				defer c.mu.Unlock()
				delete(c.checks, key)
			}
			return err
		})
		c.checks[key] = f
	}
	return f
}

func (c *Cache) check(ctx context.Context, m Module) error {
	if m.Sum == "" {
		return errors.New("go.sum has no hash for it; run go mod tidy and commit go.sum")
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return err
	}
	dir := filepath.Join(c.dir, filepath.FromSlash(escaped)+"@"+version)
	key := "module " + dir
	if known, ok := c.store.Get(key); ok && !c.always {
		if same, err := unchanged(ctx, dir, m, string(known)); same || err != nil {
			return err
		}
	}
	began := time.Now()
	found, err := list(ctx, dir)
	if err != nil {
		return err
	}
	record := found.record(m.Sum)
	sum, err := found.hash1(ctx, m)
	if err != nil {
		return err
	}
	if sum != m.Sum {
		zip := filepath.Join(c.dir, "cache", "download", filepath.FromSlash(escaped), "@v", version+".zip")
		return fmt.Errorf("%w: %s; remove the folder and run it again: chmod -R u+w %s && rm -r %s",
			ErrDiffers, found.difference(ctx, m, zip), dir, dir)
	}
	again, err := list(ctx, dir)
	if err != nil {
		return err
	}
	if again.record(m.Sum) != record {
		return fmt.Errorf("%s was changed while it was read; run it again", dir)
	}
	if record != "" && found.settled(began) {
		c.store.Put(key, []byte(record))
	}
	return nil
}

// folder is the content of a module's folder.
type folder struct {
	dir   string
	files []file
}

// file is one file of it, by its path with slashes.
type file struct {
	name string
	info fs.FileInfo
}

// list finds the files as dirhash.DirFiles does.
func list(ctx context.Context, dir string) (folder, error) {
	f := folder{dir: dir}
	err := f.add(ctx, "", true)
	return f, err
}

// add adds the files of a folder of the module, whose name ends with a slash unless it is the
// module's root; if deep, also those of the folders below it.
func (f *folder) add(ctx context.Context, below string, deep bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(f.dir, filepath.FromSlash(below)))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := below + entry.Name()
		if entry.IsDir() {
			if deep {
				if err := f.add(ctx, name+"/", true); err != nil {
					return err
				}
			}
			continue
		}
		info, err := entry.Info()
		if err == nil && !info.Mode().IsRegular() {
			info, err = os.Stat(filepath.Join(f.dir, filepath.FromSlash(name)))
		}
		if err != nil {
			return err
		}
		f.files = append(f.files, file{name, info})
	}
	return nil
}

// settled says whether a change of any file after the given time would be visible in the states.
func (f folder) settled(read time.Time) bool {
	for _, x := range f.files {
		if state, ok := filesum.StateOf(x.info); !ok || !state.Settled(read) {
			return false
		}
	}
	return true
}

// hash1 returns the hash in the form of go.sum.
func (f folder) hash1(ctx context.Context, m Module) (string, error) {
	prefix := m.Path + "@" + m.Version + "/"
	names := make([]string, len(f.files))
	for i, x := range f.files {
		names[i] = prefix + x.name
	}
	return dirhash.Hash1(names, func(name string) (io.ReadCloser, error) {
		file, err := os.Open(filepath.Join(f.dir, filepath.FromSlash(strings.TrimPrefix(name, prefix))))
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{limit.Reader(ctx, file), file}, nil
	})
}
