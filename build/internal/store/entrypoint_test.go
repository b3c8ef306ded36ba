package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// oneBlob has one blob, and gives it for every digest.
type oneBlob []byte

func (b oneBlob) OpenBlob(context.Context, v1.Descriptor) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b)), nil
}

// rawHeader is a tar header as no writer of ours makes it.
func rawHeader(name string, kind byte, size int64) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000755\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00%011o\x00        ", size, 0))
	h[156] = kind
	copy(h[257:], "ustar\x0000")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// sparse is a file of which nothing but its size is there (GNU's format 1.0 in PAX).
func sparse(name string, size int64) []byte {
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=" + name, fmt.Sprintf("GNU.sparse.realsize=%d", size)} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r)
	}
	pad := func(s string) []byte { return append([]byte(s), make([]byte, 512-len(s)%512)...) }
	return bytes.Join([][]byte{rawHeader("x", 'x', int64(len(records))), pad(records), rawHeader(name, '0', 512), pad("0\n"), make([]byte, 1024)}, nil)
}

func gzipOf(parts ...[]byte) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		if _, err := w.Write(p); err != nil || w.Close() != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// window is a zstd stream of so many zeros that wants a window of a size, each a power of two.
func window(log byte, zeros int) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3}
	for zeros > 0 {
		n := min(zeros, 128<<10)
		zeros -= n
		last := 0
		if zeros == 0 {
			last = 1
		}
		head := n<<3 | 1<<1 | last // a block of one byte, repeated
		b = append(b, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	return b
}

// The executable of an image is found, and hashed; what would take long or large memory is
// refused, in little time and memory.
func TestFileInLayer(t *testing.T) {
	testtool.NotShort(t)
	content := []byte("the program")
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	file := func(name string, content []byte) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	end := make([]byte, 1024)
	good := append(file("app", content), end...)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	const most = 64 << 20
	zeros := make([]byte, 8<<20)
	many := func(n int, name func(int) string) (all []byte) {
		for i := range n {
			all = append(all, rawHeader(name(i), '0', 0)...)
		}
		return all
	}
	pax := rawHeader("x", 'x', 900<<10)
	record := "path=" + strings.Repeat("a", 900<<10-100)
	pax = append(pax, fmt.Sprintf("%d %s", 900<<10, record)...)
	pax = append(pax, bytes.Repeat([]byte("b"), 512+900<<10-len(pax)-1)...)
	pax = append(pax, '\n')
	for name, c := range map[string]struct {
		layer []byte
		sum   string
		want  string
	}{
		"as it is":                          {good, sum, ""},
		"with gzip":                         {gzipOf(good), sum, ""},
		"with gzip in parts":                {gzipOf(good[:100], good[100:]), sum, ""},
		"with zstd":                         {encoder.EncodeAll(good, nil), sum, ""},
		"of two, the last":                  {append(file("app", []byte("another")), good...), sum, ""},
		"another name":                      {append(file("other", content), end...), "", ""},
		"cut off":                           {good[:520], "", "unexpected EOF"},
		"a sparse file of 8 GiB":            {gzipOf(sparse("app", 8<<30)), "", "too large"},
		"a sparse file that may be":         {sparse("app", 1000), fmt.Sprintf("%x", sha256.Sum256(make([]byte, 1000))), ""},
		"sparse files, small ones":          {gzipOf(bytes.Repeat(sparse("app", 30<<20)[:2048], 100)), "", "too large"},
		"a file of a name nobody asked for": {gzipOf(append(sparse("other", 1<<42)[:2048], good...)), sum, ""},
		"a bomb of gzip":                    {gzipOf(append(rawHeader("app", '0', 1<<32), zeros...), bytes.Repeat(zeros, 8)), "", "too large"},
		"a bomb behind the end":             {gzipOf(good, zeros, zeros, zeros, zeros, zeros, zeros, zeros, zeros, zeros), "", "too large"},
		"a bomb of zstd":                    {window(23, 1<<30), "", "too large"},
		"a window of 512 MiB":               {window(29, 1<<20), "", "window"},
		"a window of 128 MiB":               {window(27, 1<<20), "", ""},
		"a layer that is long":              {make([]byte, most+1), "", "too large"},
		"a hundred thousand entries":        {gzipOf(many(100_000, func(i int) string { return fmt.Sprint(i) }), good), sum, ""},
		"names of almost a MiB":             {gzipOf(bytes.Repeat(append(pax, rawHeader("y", '0', 0)...), 60), good), "", ""},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		got, _, err := fileIn(t.Context(), oneBlob(c.layer), v1.Descriptor{Size: int64(len(c.layer))}, "/app", most)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if c.want == "" && name != "names of almost a MiB" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err == nil && got != c.sum && c.want == "" && name != "names of almost a MiB" {
			t.Errorf("%s: found %q, want %q", name, got, c.sum)
		}
		if grown := int64(after.HeapSys) - int64(before.HeapSys); took > time.Minute || grown > 200<<20 {
			t.Errorf("%s took %s and %d MiB", name, took, grown>>20)
		}
	}
	stopped, stop := context.WithCancelCause(t.Context())
	why := errors.New("why")
	time.AfterFunc(100*time.Millisecond, func() { stop(why) })
	if _, _, err := fileIn(stopped, oneBlob(gzipOf(sparse("app", 1<<40))), v1.Descriptor{}, "/app", 1<<41); !errors.Is(err, why) {
		t.Errorf("stopped, it gives %v", err)
	}
}

// FuzzFileInLayer looks for layers that take long, or large memory.
func FuzzFileInLayer(f *testing.F) {
	f.Add(sparse("app", 1<<40))
	f.Add(gzipOf(sparse("app", 1<<40)))
	f.Add(window(27, 1<<20))
	f.Add(rawHeader("app", 'S', 1<<30))
	f.Add(rawHeader("app", 'x', 1<<20))
	f.Fuzz(func(t *testing.T, layer []byte) {
		began := time.Now()
		_, _, _ = fileIn(t.Context(), oneBlob(layer), v1.Descriptor{Size: int64(len(layer))}, "/app", 1<<20)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
