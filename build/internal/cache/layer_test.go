package cache_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/plan"
)

// mediaTypes are those of image-spec's layer.md.
var mediaTypes = map[plan.Compression]types.MediaType{
	plan.Gzip: types.OCILayer,
	plan.Zstd: types.OCILayerZStd,
}

// layer asks for a layer and says whether it had to be made.
func layer(t testing.TB, c *cache.Cache, key string, compression plan.Compression, content []byte) (l *cache.Layer, made bool) {
	t.Helper()
	l, err := c.Layer(context.Background(), key, compression, func(w io.Writer) error {
		made = true
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, made
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// check reads the layer in every way that there is, against its content.
func check(t *testing.T, l *cache.Layer, content []byte) {
	t.Helper()
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	blob, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.Digest(); err != nil || got.String() != "sha256:"+digest(blob) {
		t.Errorf("the digest is %v, %v; of the blob %s", got, err, digest(blob))
	}
	if got, err := l.Size(); err != nil || got != int64(len(blob)) {
		t.Errorf("the size is %d, %v; of the blob %d", got, err, len(blob))
	}
	if got, err := l.DiffID(); err != nil || got.String() != "sha256:"+digest(content) {
		t.Errorf("the diff id is %v, %v", got, err)
	}
	if r, err = l.Uncompressed(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the content differs: %d bytes of %d, %v", len(got), len(content), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLayer(t *testing.T) {
	dir := t.TempDir()
	for compression, mediaType := range mediaTypes {
		for name, content := range map[string][]byte{
			"empty": {}, "small": []byte("content"), "a block": program(1 << 20), "blocks": program(5<<20 + 12345),
		} {
			t.Run(string(compression)+" "+name, func(t *testing.T) {
				made, first := layer(t, open(t, dir), name, compression, content)
				if !first {
					t.Error("known before it was made")
				}
				check(t, made, content)
				known, again := layer(t, open(t, dir), name, compression, content)
				if again {
					t.Error("made again")
				}
				check(t, known, content)
				if got, err := known.MediaType(); err != nil || got != mediaType {
					t.Errorf("the media type is %q, %v", got, err)
				}
				blob, err := os.ReadFile(known.File().Name())
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := known.Digest(); digest(blob) != got.Hex {
					t.Error("the file is not the blob")
				}
			})
		}
	}
}

// Anybody's gzip reads a layer, and its header says nothing of when and where.
func TestGzipHeader(t *testing.T) {
	content := program(3 << 20)
	l, _ := layer(t, open(t, t.TempDir()), "k", plan.Gzip, content)
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || z.Comment != "" || !z.ModTime.IsZero() || len(z.Extra) > 0 || z.OS != 255 {
		t.Errorf("the header is %+v", z.Header)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the content differs: %v", err)
	}
}

// The same content gives the same bytes, however many processors there are and
// however it is cut into writes.
func TestSameBytes(t *testing.T) {
	content := program(6<<20 + 777)
	for compression := range mediaTypes {
		t.Run(string(compression), func(t *testing.T) {
			var want string
			for _, processors := range []int{1, 2, 8, 64} {
				for _, cut := range []int{997, 32 << 10, 1 << 20, len(content)} {
					before := runtime.GOMAXPROCS(processors)
					l, err := open(t, t.TempDir()).Layer(t.Context(), "k", compression, func(w io.Writer) error {
						for b := content; len(b) > 0; {
							n, err := w.Write(b[:min(cut, len(b))])
							if err != nil {
								return err
							}
							b = b[n:]
						}
						return nil
					})
					runtime.GOMAXPROCS(before)
					if err != nil {
						t.Fatal(err)
					}
					got, _ := l.Digest()
					if want == "" {
						want = got.String()
					}
					if got.String() != want {
						t.Errorf("%d processors, writes of %d: %s, not %s", processors, cut, got, want)
					}
				}
			}
		})
	}
}

// A layer is for one key and one compression.
func TestLayersDiffer(t *testing.T) {
	c := open(t, t.TempDir())
	layer(t, c, "k", plan.Gzip, []byte("one"))
	if _, made := layer(t, c, "k", plan.Zstd, []byte("one")); !made {
		t.Error("gzip was taken for zstd")
	}
	if _, made := layer(t, c, "l", plan.Gzip, []byte("two")); !made {
		t.Error("one key was taken for another")
	}
	if _, err := c.Layer(t.Context(), "k", "lz4", func(io.Writer) error { return nil }); err == nil {
		t.Error("a compression that nobody knows was taken")
	}
}

// What somebody did to the files of the cache costs time, never a wrong layer.
func TestDamagedLayer(t *testing.T) {
	content := program(2 << 20)
	edit := func(f func([]byte) []byte) func(string) error {
		return func(file string) error {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return os.WriteFile(file, f(b), 0o644)
		}
	}
	damages := map[string]func(string) error{
		"flipped":     edit(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
		"truncated":   edit(func(b []byte) []byte { return b[:len(b)-1] }),
		"longer":      edit(func(b []byte) []byte { return append(b, 0) }),
		"empty":       edit(func([]byte) []byte { return nil }),
		"garbage":     edit(func([]byte) []byte { return []byte(`{"digest":"sha256:../../../etc/passwd"}`) }),
		"null":        edit(func([]byte) []byte { return []byte("null") }),
		"deleted":     os.Remove,
		"folder gone": func(file string) error { return os.RemoveAll(filepath.Dir(file)) },
	}
	for _, sub := range []string{"blobs", "layers"} {
		for name, damage := range damages {
			t.Run(sub+" "+name, func(t *testing.T) {
				dir := t.TempDir()
				layer(t, open(t, dir), "k", plan.Gzip, content)
				list := files(t, filepath.Join(dir, sub))
				if len(list) != 1 {
					t.Fatalf("the files are %q", list)
				}
				if err := damage(list[0]); err != nil {
					t.Fatal(err)
				}
				l, made := layer(t, open(t, dir), "k", plan.Gzip, content)
				if !made {
					t.Error("the damaged layer was taken")
				}
				check(t, l, content)
				if _, made = layer(t, open(t, dir), "k", plan.Gzip, content); made {
					t.Error("the layer was not kept again")
				}
			})
		}
	}
}

// A layer that was given stays whole when the cache goes.
func TestCacheRemovedUnderALayer(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove open files")
	}
	dir, content := filepath.Join(t.TempDir(), "cache"), program(1<<20)
	c := open(t, dir)
	made, _ := layer(t, c, "k", plan.Gzip, content)
	known, _ := layer(t, c, "k", plan.Gzip, content)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	check(t, made, content)
	check(t, known, content)
	again, _ := layer(t, c, "k", plan.Gzip, content)
	check(t, again, content)
}

func TestLayerFails(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	c := open(t, dir)
	_, err := c.Layer(t.Context(), "k", plan.Gzip, func(w io.Writer) error {
		_, err := w.Write(program(3 << 20))
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

func TestLayerStops(t *testing.T) {
	dir, stop := t.TempDir(), errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := open(t, dir).Layer(ctx, "k", plan.Zstd, func(w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return err
			}
			cancel(stop)
		}
	})
	if !errors.Is(err, stop) {
		t.Errorf("the error is %v", err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

// BenchmarkLayer makes, and finds, a layer of 16 MiB.
func BenchmarkLayer(b *testing.B) {
	content := program(16 << 20)
	for compression := range mediaTypes {
		b.Run(string(compression)+" made", func(b *testing.B) {
			c := open(b, b.TempDir())
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				layer(b, c, string(rune(i)), compression, content)
			}
		})
		b.Run(string(compression)+" known", func(b *testing.B) {
			dir := b.TempDir()
			layer(b, open(b, dir), "k", compression, content)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, made := layer(b, open(b, dir), "k", compression, content); made {
					b.Fatal("made again")
				}
			}
		})
	}
}
