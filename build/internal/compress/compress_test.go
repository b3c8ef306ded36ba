package compress_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// content compresses a little, and ends in the middle of a block.
func content(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	for i := range b {
		b[i] %= byte(1 + i>>12%64)
	}
	return b
}

func compressed(t *testing.T, b []byte, how plan.Compression, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := compress.NewWriter(&out, how)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n, err := w.Write(b[:min(piece, len(b))])
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The bytes depend on the content alone, and both our reader and the stock programs read
// them.
func TestCompress(t *testing.T) {
	for how, program := range map[plan.Compression]string{plan.Gzip: "gzip", plan.Zstd: "zstd"} {
		for _, size := range []int{0, 1, 2 << 20, 5<<20 + 12345} {
			b := content(size)
			want := compressed(t, b, how, 32<<10)
			for processors, piece := range map[int]int{1: 1 << 20, 3: 7777, 64: 16 << 20} {
				before := runtime.GOMAXPROCS(processors)
				got := compressed(t, b, how, piece)
				runtime.GOMAXPROCS(before)
				if !bytes.Equal(got, want) {
					t.Errorf("%s of %d bytes differs with %d processors and pieces of %d bytes", how, size, processors, piece)
				}
			}
			r, err := compress.NewReader(bytes.NewReader(want), how)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s of %d bytes: %d bytes are read back: %v", how, size, len(got), err)
			}
			if !testtool.Part(t, program) {
				continue
			}
			unpack := testtool.Command(t, program, "-dc")
			unpack.Stdin = bytes.NewReader(want)
			if got, err := unpack.Output(); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%s -dc of %d bytes gives %d: %v", program, size, len(got), err)
			}
		}
	}
	if _, err := compress.NewWriter(io.Discard, "lzma"); err == nil {
		t.Error("lzma is known")
	}
}

type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// What the writer below refuses is said at the end, if not before.
func TestFull(t *testing.T) {
	for _, how := range []plan.Compression{plan.Gzip, plan.Zstd} {
		for _, room := range []int{0, 1 << 20} {
			w, err := compress.NewWriter(&full{room}, how)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Write(content(20 << 20))
			if err = errors.Join(err, w.Close()); !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d bytes: %v", how, room, err)
			}
		}
	}
}
