package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/thimble-build/thimble/build/internal/cache"
)

// TestMain lets the tests start this binary as another run: see share_test.go.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CACHE_TEST_DIR"); dir != "" {
		if err := another(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func open(t testing.TB, dir string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(dir, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// program is content that compresses about as well as a binary does.
func program(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, size+64)
	for len(b) < size {
		if n := len(b); n > 4096 && r.IntN(3) > 0 {
			from := n - 1 - r.IntN(4096)
			b = append(b, b[from:min(n, from+r.IntN(64))]...)
		} else {
			b = append(b, byte(r.Uint32()), byte(r.IntN(16)))
		}
	}
	return b[:size]
}

// noise is content that does not compress.
func noise(size int) []byte {
	b, r := make([]byte, size), rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// files lists every file below the cache's folder.
func files(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// value asks for a value and says whether it had to be made.
func value(t *testing.T, c *cache.Cache, key, content string) (made bool) {
	t.Helper()
	got, err := c.Value(key, func() ([]byte, error) { made = true; return []byte(content), nil })
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != content {
		t.Fatalf("the value of %q is %q", key, got)
	}
	return made
}

func TestValue(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"a", "b", "", "../../x\x00y", string(bytes.Repeat([]byte("k"), 5000))} {
		if !value(t, open(t, dir), key, "of "+key) {
			t.Errorf("%.20q: known before it was made", key)
		}
		if value(t, open(t, dir), key, "of "+key) {
			t.Errorf("%.20q: made again", key)
		}
	}
	if !value(t, open(t, dir), "empty", "") || value(t, open(t, dir), "empty", "") {
		t.Error("an empty value is not kept")
	}
}

func TestValueFails(t *testing.T) {
	c, broken := open(t, t.TempDir()), errors.New("broken")
	if _, err := c.Value("k", func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if !value(t, c, "k", "v") {
		t.Error("a failure was kept")
	}
}

// What somebody did to the files of the cache costs time, never a wrong value.
func TestDamagedValue(t *testing.T) {
	for name, damage := range map[string]func(file string, b []byte) error{
		"flipped":     func(f string, b []byte) error { b[len(b)-1] ^= 1; return os.WriteFile(f, b, 0o644) },
		"hash":        func(f string, b []byte) error { b[0] ^= 1; return os.WriteFile(f, b, 0o644) },
		"truncated":   func(f string, b []byte) error { return os.WriteFile(f, b[:len(b)-1], 0o644) },
		"short":       func(f string, b []byte) error { return os.WriteFile(f, b[:10], 0o644) },
		"longer":      func(f string, b []byte) error { return os.WriteFile(f, append(b, '!'), 0o644) },
		"empty":       func(f string, _ []byte) error { return os.WriteFile(f, nil, 0o644) },
		"deleted":     func(f string, _ []byte) error { return os.Remove(f) },
		"folder gone": func(f string, _ []byte) error { return os.RemoveAll(filepath.Dir(f)) },
		"a folder":    func(f string, _ []byte) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(t, dir)
			value(t, c, "key", "the value")
			list := files(t, dir)
			if len(list) != 1 {
				t.Fatalf("the files are %q", list)
			}
			b, err := os.ReadFile(list[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(list[0], b); err != nil {
				t.Fatal(err)
			}
			if !value(t, c, "key", "the value") {
				t.Error("the damaged value was taken")
			}
			if name != "a folder" && value(t, c, "key", "the value") {
				t.Error("the value was not kept again")
			}
		})
	}
}

// Several that ask for one key at once wait for the one that makes it.
func TestOneMakes(t *testing.T) {
	c := open(t, t.TempDir())
	var values, layers atomic.Int32
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range 16 {
		all.Go(func() {
			<-begin
			if _, err := c.Value("k", func() ([]byte, error) { values.Add(1); return []byte("v"), nil }); err != nil {
				t.Error(err)
			}
			_, err := c.Layer(context.Background(), "k", "gzip", func(w io.Writer) error {
				layers.Add(1)
				_, err := w.Write([]byte("content"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
	if values.Load() != 1 || layers.Load() != 1 {
		t.Errorf("the value was made %d times, the layer %d times", values.Load(), layers.Load())
	}
}

func TestNotAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := cache.Open(filepath.Join(file, "cache"), cache.Options{})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte("XDG_CACHE_HOME")) {
		t.Errorf("the error is %v", err)
	}
}
