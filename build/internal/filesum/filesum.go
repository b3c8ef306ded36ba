package filesum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Store keeps small values by key. It may lose values.
type Store interface {
	Get(key string) ([]byte, bool)
	Put(key string, value []byte)
}

// Sums calculates the hashes of files. The zero value reads every file. Small files are always
// read.
type Sums struct {
	Store Store
	// Always reads every file, even if its hash is remembered.
	Always bool
}

// smallFile is the size, in bytes, below which reading a file is faster than reading the store.
const smallFile = 64 << 10

// remembered is the stored value of a file.
type remembered struct {
	State  State
	SHA256 string
}

// Of returns the SHA-256 of a whole open file in hex, regardless of its offset. A file that keeps
// changing while it is read is an error.
func (s Sums) Of(ctx context.Context, f *os.File) (string, error) {
	for range 3 {
		before, err := f.Stat()
		if err != nil {
			return "", err
		}
		if sum := s.recall(f.Name(), before); sum != "" {
			return sum, nil
		}
		began := time.Now()
		h := sha256.New()
		if _, err := io.Copy(h, limit.Reader(ctx, io.NewSectionReader(f, 0, before.Size()))); err != nil {
			return "", fmt.Errorf("read %s: %w", f.Name(), err)
		}
		sum := hex.EncodeToString(h.Sum(nil))
		same, err := s.Remember(f, before, began, sum)
		if same || err != nil {
			return sum, err
		}
	}
	return "", fmt.Errorf("read %s: it does not stop changing", f.Name())
}

// recall returns the remembered hash of a file with these stat data, or nothing.
func (s Sums) recall(name string, info fs.FileInfo) string {
	state, ok := StateOf(info)
	if s.Store == nil || s.Always || !ok || info.Size() < smallFile {
		return ""
	}
	var r remembered
	value, found := s.Store.Get(key(name))
	if !found || json.Unmarshal(value, &r) != nil || r.State != state {
		return ""
	}
	return r.SHA256
}

// Remember stores the hash of an open file that the caller has read: before is its stat data
// before reading, began the time when reading began. It returns false if the stat data have
// changed since.
func (s Sums) Remember(f *os.File, before fs.FileInfo, began time.Time, sum string) (same bool, err error) {
	now, err := f.Stat()
	if err != nil || !sameState(before, now) {
		return false, err
	}
	state, ok := StateOf(now)
	if s.Store == nil || !ok || state.Size < smallFile || !state.Settled(began) {
		return true, nil
	}
	value, err := json.Marshal(remembered{state, sum})
	if err != nil {
		return true, err
	}
	if kept, found := s.Store.Get(key(f.Name())); !found || string(kept) != string(value) {
		s.Store.Put(key(f.Name()), value)
	}
	return true, nil
}

// Check returns an error unless an open file still has the hash that it had when its stat data
// were before. It reads the file only if they have changed, as they do when its name is removed.
func (s Sums) Check(ctx context.Context, f *os.File, before fs.FileInfo, sum string) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if _, ok := StateOf(now); ok && sameState(before, now) {
		return nil
	}
	got, err := Sums{}.Of(ctx, f)
	if err == nil && got != sum {
		err = fmt.Errorf("%s was changed while it was used; run it again", f.Name())
	}
	return err
}

func sameState(a, b fs.FileInfo) bool {
	before, ok := StateOf(a)
	after, _ := StateOf(b)
	if ok {
		return before == after
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func key(name string) string { return "file " + name }
