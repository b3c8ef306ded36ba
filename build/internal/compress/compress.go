// Package compress compresses and decompresses streams so that the bytes depend only on the
// content: not on the number of processors, and not on the sizes of writes. It takes a writer and
// returns one, with klauspost's gzip and zstd.
package compress

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"

	"github.com/thimble-build/thimble/build/plan"
)

// The parameters of gzip are part of the format: the block size changes the bytes. The number of
// blocks compressed at once does not. It is a few more than the number of processors, so that
// none waits, and at most eight, which limits the memory: each takes about three MiB.
const (
	gzipLevel  = 6
	gzipBlock  = 1 << 20
	gzipBlocks = 8
)

// zstdWindow is part of the format as well: a smaller one costs time, since its content is moved
// more often; a larger one costs memory, and the time to allocate it.
const zstdWindow = 4 << 20

// NewWriter returns a writer that compresses into w; closing it does not close w. The error names
// an unknown compression.
func NewWriter(w io.Writer, compression plan.Compression) (io.WriteCloser, error) {
	switch compression {
	case plan.Gzip:
		z, err := pgzip.NewWriterLevel(w, gzipLevel)
		if err != nil {
			return nil, err
		}
		// The header has no name, 255 (unknown) as the system, and no time, which is zero seconds
		// (RFC 1952, 2.3.1): a zero time.Time would be a date in 2042.
		z.ModTime = time.Unix(0, 0)
		if err := z.SetConcurrency(gzipBlock, min(runtime.GOMAXPROCS(0)+2, gzipBlocks)); err != nil {
			return nil, err
		}
		return z, nil
	case plan.Zstd:
		// No checksum: a layer's digest is a better one.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(min(runtime.GOMAXPROCS(0), 2)),
			zstd.WithWindowSize(zstdWindow), zstd.WithEncoderCRC(false))
	}
	return nil, fmt.Errorf("compression %q is not known", compression)
}

// maxWindow bounds the memory that a stream can require, in bytes: zstd -22 requires this much.
const maxWindow = 128 << 20

// NewReader reads a stream, which need not be trusted.
func NewReader(r io.Reader, compression plan.Compression) (io.ReadCloser, error) {
	switch compression {
	case plan.Gzip:
		return pgzip.NewReaderN(r, gzipBlock, 2)
	case plan.Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("compression %q is not known", compression)
}

// NewReaderOfAny detects the compression of a stream: gzip, zstd, or none.
func NewReaderOfAny(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return NewReader(b, plan.Gzip)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}),
		// A frame to be skipped (RFC 8878, 3.1.2).
		len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18}):
		return NewReader(b, plan.Zstd)
	}
	return io.NopCloser(b), nil
}
