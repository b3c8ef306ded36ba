package cache_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/plan"
)

// TestLayerAhead makes a layer whose key is found only while it is made: it is the same
// layer, the cache knows it afterwards, and one that is known is not made to its end.
func TestLayerAhead(t *testing.T) {
	dir := t.TempDir()
	c, err := cache.Open(dir, cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	content := []byte("what is compressed")
	begun := make(chan struct{})
	key := func() (string, error) {
		<-begun // the key waits for the making, never the other way round
		return "key", nil
	}
	l, err := c.LayerAhead(t.Context(), key, plan.Zstd, func(w io.Writer) error {
		close(begun)
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, l, content)
	again, made := layer(t, c, "key", plan.Zstd, content)
	if made {
		t.Error("the cache does not know what was made ahead")
	}
	check(t, again, content)

	// It would never end by itself.
	known, err := c.LayerAhead(t.Context(), func() (string, error) { return "key", nil }, plan.Zstd, func(w io.Writer) error {
		for {
			if _, err := w.Write(content); err != nil {
				return err
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	check(t, known, content)

	unread, full := errors.New("the binary cannot be read"), errors.New("the tree cannot be read")
	if _, err := c.LayerAhead(t.Context(), func() (string, error) { return "", unread }, plan.Gzip, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}); !errors.Is(err, unread) {
		t.Errorf("a key that cannot be found: %v", err)
	}
	if _, err := c.LayerAhead(t.Context(), func() (string, error) { return "other", nil }, plan.Gzip, func(io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("content that cannot be read: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.LayerAhead(stopped, func() (string, error) { return "third", nil }, plan.Gzip, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was stopped: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%d temporary files are left, such as %s", len(left), left[0].Name())
	}
}
