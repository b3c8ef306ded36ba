package cache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/cache"
)

func hashOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func describe(b []byte, mediaType types.MediaType) v1.Descriptor {
	return v1.Descriptor{Digest: hashOf(b), Size: int64(len(b)), MediaType: mediaType}
}

// writes is a fetch of these pieces.
func writes(pieces ...[]byte) func(context.Context, cache.Sink) error {
	return func(_ context.Context, to cache.Sink) error {
		for _, p := range pieces {
			if _, err := to.Write(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// never is a fetch of what must be there already.
func never(context.Context, cache.Sink) error { return errors.New("it was fetched") }

// A blob is fetched once, and is what it was: its own digest, size and media type, whatever
// its compression.
func TestBlob(t *testing.T) {
	dir := t.TempDir()
	plain := program(300_000)
	packed, _ := layer(t, open(t, t.TempDir()), "x", "gzip", plain)
	gzip, err := os.ReadFile(packed.File().Name())
	if err != nil {
		t.Fatal(err)
	}
	for mediaType, content := range map[types.MediaType][]byte{imagespec.MediaTypeImageLayerGzip: gzip, imagespec.MediaTypeImageLayer: plain} {
		d, diffID := describe(content, mediaType), hashOf(plain)
		if _, err := open(t, dir).Blob(t.Context(), d, diffID, writes(content[:10], content[10:])); err != nil {
			t.Fatal(err)
		}
		l, err := open(t, dir).Blob(t.Context(), d, diffID, never)
		if err != nil {
			t.Fatal(err)
		}
		digest, digestErr := l.Digest()
		diff, diffErr := l.DiffID()
		size, sizeErr := l.Size()
		kind, kindErr := l.MediaType()
		if digest != d.Digest || diff != diffID || size != d.Size || kind != mediaType || errors.Join(digestErr, diffErr, sizeErr, kindErr) != nil {
			t.Errorf("%s: the layer is %s %s %d %s", mediaType, digest, diff, size, kind)
		}
		for what, reader := range map[string]func() (io.ReadCloser, error){string(content): l.Compressed, string(plain): l.Uncompressed} {
			r, err := reader()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil || string(got) != what {
				t.Errorf("%s: %d bytes were read, %v; want %d", mediaType, len(got), err, len(what))
			}
		}
	}
}

// What is not the blob is refused with the reason, and leaves nothing behind.
func TestBlobIsRefused(t *testing.T) {
	content := program(10_000)
	d := describe(content, imagespec.MediaTypeImageLayer)
	other := bytes.Clone(content)
	other[5000] ^= 1
	broken := errors.New("the connection broke")
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the run has ended"))
	for name, tc := range map[string]struct {
		ctx     context.Context
		digest  v1.Hash
		fetch   func(context.Context, cache.Sink) error
		corrupt bool
		want    string
	}{
		"another content":        {fetch: writes(other), corrupt: true, want: "its content is sha256:" + hashOf(other).Hex},
		"cut off":                {fetch: writes(content[:9_999]), corrupt: true, want: "it has 9999 bytes instead of 10000"},
		"nothing":                {fetch: writes(), corrupt: true, want: "it has 0 bytes instead of 10000"},
		"too long":               {fetch: writes(content, []byte("x")), corrupt: true, want: "it has more than 10000 bytes"},
		"endless":                {fetch: writes(bytes.Repeat(content, 100)), corrupt: true, want: "it has more than 10000 bytes"},
		"a broken connection":    {fetch: func(context.Context, cache.Sink) error { return broken }, want: broken.Error()},
		"an error is not hidden": {fetch: func(_ context.Context, to cache.Sink) error { _, _ = to.Write(bytes.Repeat(content, 2)); return nil }, corrupt: true, want: "it has more than"},
		"the run has ended":      {ctx: ended, fetch: writes(content), want: "the run has ended"},
		"another algorithm":      {digest: v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0", 128)}, fetch: writes(content), want: "only sha256 is supported"},
	} {
		dir := t.TempDir()
		asked := d
		if tc.digest.Algorithm != "" {
			asked.Digest = tc.digest
		}
		if tc.ctx == nil {
			tc.ctx = t.Context()
		}
		_, err := open(t, dir).Blob(tc.ctx, asked, hashOf(content), tc.fetch)
		if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, cache.ErrCorrupt) != tc.corrupt || !strings.Contains(err.Error(), asked.Digest.String()) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
		if left := files(t, dir); len(left) > 0 {
			t.Errorf("%s: %q is left", name, left)
		}
		if _, err := open(t, dir).Blob(t.Context(), d, hashOf(content), writes(content)); err != nil {
			t.Errorf("%s: the next try gives %v", name, err)
		}
	}
}

// Another try begins with nothing.
func TestBlobTriedAgain(t *testing.T) {
	content := program(10_000)
	_, err := open(t, t.TempDir()).Blob(t.Context(), describe(content, imagespec.MediaTypeImageLayer), hashOf(content), func(ctx context.Context, to cache.Sink) error {
		if err := writes([]byte("half of something"))(ctx, to); err != nil {
			return err
		}
		to.Reset()
		if err := writes(bytes.Repeat(content, 2))(ctx, to); err == nil {
			return errors.New("more than there is was taken")
		}
		to.Reset() // also after an error
		return writes(content)(ctx, to)
	})
	if err != nil {
		t.Error(err)
	}
}

// A blob that was changed in the folder is fetched again, and so is one that is gone.
func TestDamagedBlob(t *testing.T) {
	dir, content := t.TempDir(), program(10_000)
	d := describe(content, imagespec.MediaTypeImageLayer)
	for name, damage := range map[string]func(file string) error{
		"flipped": func(file string) error {
			b := bytes.Clone(content)
			b[1] ^= 1
			return os.WriteFile(file, b, 0o644)
		},
		"cut off":  func(file string) error { return os.Truncate(file, 5_000) },
		"extended": func(file string) error { return os.WriteFile(file, append(bytes.Clone(content), 0), 0o644) },
		"removed":  os.Remove,
		"all gone": func(string) error { return os.RemoveAll(dir) },
	} {
		if _, err := open(t, dir).Blob(t.Context(), d, hashOf(content), writes(content)); err != nil {
			t.Fatal(err)
		}
		if err := damage(filepath.Join(dir, "blobs", d.Digest.Hex)); err != nil {
			t.Fatal(err)
		}
		fetched := false
		l, err := open(t, dir).Blob(t.Context(), d, hashOf(content), func(ctx context.Context, to cache.Sink) error {
			fetched = true
			return writes(content)(ctx, to)
		})
		if err != nil || !fetched {
			t.Fatalf("%s: Blob gives %v, and has fetched: %t", name, err, fetched)
		}
		r, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: the layer reads as %d bytes, %v", name, len(got), err)
		}
	}
}

// Platforms that share a layer fetch it once.
func TestOneFetches(t *testing.T) {
	c, content := open(t, t.TempDir()), program(10_000)
	var mu sync.Mutex
	fetched := 0
	together := make(chan struct{})
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			<-together
			_, err := c.Blob(t.Context(), describe(content, imagespec.MediaTypeImageLayer), hashOf(content), func(ctx context.Context, to cache.Sink) error {
				mu.Lock()
				fetched++
				mu.Unlock()
				return writes(content)(ctx, to)
			})
			errs <- err
		}()
	}
	close(together)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if fetched != 1 {
		t.Errorf("it was fetched %d times", fetched)
	}
}
