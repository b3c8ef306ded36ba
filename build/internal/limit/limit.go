// Package limit stops reads and writes when the context ends, or when there are more bytes than
// allowed. All copies whose size the kit does not control use it.
package limit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge is the cause of the error of a reader with more bytes than allowed.
var ErrTooLarge = errors.New("it is too large")

// Reader reads r until the context ends, and then fails with its cause.
func Reader(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Writer writes to w until the context ends, and then fails with its cause.
func Writer(ctx context.Context, w io.Writer) io.Writer { return writer{ctx, w} }

type writer struct {
	ctx context.Context
	w   io.Writer
}

func (w writer) Write(p []byte) (int, error) {
	if err := context.Cause(w.ctx); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}

// Bytes reads at most this many bytes of r: one more is an [ErrTooLarge]. A negative limit, as a
// descriptor may have it, is zero.
func Bytes(r io.Reader, most int64) io.Reader {
	most = max(most, 0)
	return &bytesReader{r: r, left: most, most: most}
}

type bytesReader struct {
	r          io.Reader
	left, most int64
}

func (b *bytesReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		b.left = 0
		return n - 1, fmt.Errorf("%w: more than %s", ErrTooLarge, size(b.most))
	}
	return n, err
}

// size returns a limit in a readable form.
func size(bytes int64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB"} {
		if bytes < 1<<10 || bytes%(1<<10) != 0 {
			return fmt.Sprintf("%d %s", bytes, unit)
		}
		bytes >>= 10
	}
	return fmt.Sprintf("%d GiB", bytes)
}

// Parts returns an [ErrTooLarge] for JSON with more than this many values, because a value of a few
// bytes takes hundreds when it is decoded.
func Parts(document []byte, most int) error {
	for _, of := range []string{",", "{", "["} {
		if bytes.Count(document, []byte(of)) > most {
			return fmt.Errorf("%w: more than %d values", ErrTooLarge, most)
		}
	}
	return nil
}
