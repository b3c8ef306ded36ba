// Package cache keeps compressed layers and small values in a folder, so that a later run need
// not make them again. It takes a key and a function that makes the content; it returns the
// content, from the folder if it is there and complete.
//
// The folder is not trusted. A layer is hashed before it is used, unless its stat data are
// unchanged since it was last hashed (see package filesum), and again while it is read. A value
// is stored with its hash. Content that does not match is made again. Files appear by rename, so
// a run may be killed at any moment, several runs may share the folder, and any file may be
// removed at any time.
//
// The folder:
//
//	blobs/<sha256>    a compressed layer, named by its digest
//	layers/<key>      the facts about a layer, as a value: digest, diff id, size
//	values/<key>      the hash of a value, and the value
//	tmp/              files that are being written
//	trimmed           its time is when the folder was last trimmed
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/filesum"
)

// Options of a cache. A zero field means its default.
type Options struct {
	// Size in bytes of all files together that Trim keeps; 2 GiB by default.
	Size int64
	// Age since the last use that Trim keeps; 30 days by default.
	Age time.Duration
	// HashAll hashes every layer before it is used, regardless of its stat data.
	HashAll bool
}

// Cache is an open cache. It is safe for concurrent use.
type Cache struct {
	dir     string
	options Options
	flight  singleflight.Group
	// making is held while a layer is compressed, which needs all cores, and memory.
	making sync.Mutex
}

// used is the precision of the time of last use: a warm run does not write it again within this
// time.
const used = 24 * time.Hour

// Open opens the cache in dir and makes the folder if necessary.
func Open(dir string, o Options) (*Cache, error) {
	if o.Size == 0 {
		o.Size = 2 << 30
	}
	if o.Age == 0 {
		o.Age = 30 * 24 * time.Hour
	}
	c := &Cache{dir: dir, options: o}
	for _, sub := range []string{"blobs", "layers", "values", "tmp"} {
		if err := os.MkdirAll(c.path(sub), 0o755); err != nil {
			return nil, fmt.Errorf("open the cache: %w; set XDG_CACHE_HOME to a writable folder", err)
		}
	}
	return c, nil
}

// Value returns the value for the key, otherwise it calls make and keeps the result. A value that
// cannot be kept is not an error.
func (c *Cache) Value(key string, make func() ([]byte, error)) ([]byte, error) {
	file := c.path("values", name(key))
	v, err, _ := c.flight.Do(file, func() (any, error) {
		if kept, ok := c.readValue(file); ok {
			return kept, nil
		}
		made, err := make()
		if err != nil {
			return nil, err
		}
		c.keep(file, made)
		return made, nil
	})
	if err != nil {
		return nil, err
	}
	return v.([]byte), nil
}

// JSON is Value for any type that encoding/json can encode and decode.
func JSON[T any](c *Cache, key string, make func() (T, error)) (T, error) {
	var v T
	fresh := false
	b, err := c.Value(key, func() ([]byte, error) {
		var err error
		if v, err = make(); err != nil {
			return nil, err
		}
		fresh = true
		return json.Marshal(v)
	})
	if err != nil || fresh {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}

// Get returns the value for the key.
func (c *Cache) Get(key string) ([]byte, bool) { return c.readValue(c.path("values", name(key))) }

// Put keeps a value under the key, as Value does.
func (c *Cache) Put(key string, value []byte) { c.keep(c.path("values", name(key)), value) }

// Sums returns the hashes of files, which the cache remembers.
func (c *Cache) Sums() filesum.Sums { return filesum.Sums{Store: c, Always: c.options.HashAll} }

// keep writes a value after its hash. It may fail: with a full disk only the next run takes
// longer.
func (c *Cache) keep(file string, value []byte) {
	sum := sha256.Sum256(value)
	_ = c.write(file, append(hex.AppendEncode(nil, sum[:]), value...))
}

// readValue reads a file of keep, if it is complete.
func (c *Cache) readValue(file string) ([]byte, bool) {
	b, err := os.ReadFile(file)
	if err != nil || len(b) < hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	want, value := b[:hex.EncodedLen(sha256.Size)], b[hex.EncodedLen(sha256.Size):]
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != string(want) {
		return nil, false
	}
	touch(file)
	return value, true
}

func (c *Cache) path(elem ...string) string {
	return filepath.Join(append([]string{c.dir}, elem...)...)
}

// write writes a file atomically; it makes the folder again if it was removed.
func (c *Cache) write(file string, content []byte) error {
	err := atomicfile.Write(file, content, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
			err = atomicfile.Write(file, content, 0o644)
		}
	}
	return err
}

// name returns a file name for any key.
func name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// touch records the use of a file, at most once per period.
func touch(file string) {
	now := time.Now()
	if info, err := os.Stat(file); err == nil && now.Sub(info.ModTime()) > used {
		_ = os.Chtimes(file, now, now) // without it, the file may be removed too early
	}
}
