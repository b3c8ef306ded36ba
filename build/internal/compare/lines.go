package compare

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// line is the first line, or byte, in which two files differ.
type line struct {
	number int
	binary int64
	a, b   string
}

func (l line) where() string {
	if l.number > 0 {
		return fmt.Sprintf("line %d", l.number)
	}
	return fmt.Sprintf("byte %#x", l.binary)
}

// maxLine bounds the part of a line that is compared as text.
const maxLine = 64 << 10

// firstLine compares two files, as text if both are text.
func firstLine(a, b io.ReadSeeker) (line, error) {
	for _, f := range []io.ReadSeeker{a, b} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return line{}, err
		}
	}
	x, y := bufio.NewReaderSize(a, maxLine), bufio.NewReaderSize(b, maxLine)
	for n, at := 1, int64(0); ; n++ {
		p, errX := x.ReadSlice('\n')
		q, errY := y.ReadSlice('\n')
		for _, err := range []error{errX, errY} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
				return line{}, err
			}
		}
		if !bytes.Equal(p, q) {
			if isText(p) && isText(q) {
				return line{number: n, a: short(strings.TrimRight(string(p), "\r\n")),
					b: short(strings.TrimRight(string(q), "\r\n"))}, nil
			}
			i := 0
			for i < len(p) && i < len(q) && p[i] == q[i] {
				i++
			}
			return line{binary: at + int64(i), a: hexAt(p, i), b: hexAt(q, i)}, nil
		}
		if errors.Is(errX, io.EOF) && errors.Is(errY, io.EOF) {
			return line{}, errors.New("they are the same")
		}
		at += int64(len(p))
	}
}

func hexAt(b []byte, i int) string { return fmt.Sprintf("% x", b[i:min(len(b), i+16)]) }

func isText(b []byte) bool {
	return len(b) < maxLine && bytes.IndexByte(b, 0) < 0 && bytes.Equal(bytes.ToValidUTF8(b, nil), b)
}
