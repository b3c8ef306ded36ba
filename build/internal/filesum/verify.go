package filesum

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// ErrChanged is the cause of an error of a reader of Verify.
var ErrChanged = errors.New("it was changed while it was used; run it again")

// Verify returns a reader of r whose end is an ErrChanged unless it has returned size bytes with
// this SHA-256 in hex. sum is called at the end.
func Verify(r io.Reader, size int64, sum func() (string, error)) io.Reader {
	return &verified{from: r, hash: sha256.New(), size: size, sum: sum}
}

type verified struct {
	from    io.Reader
	hash    hash.Hash
	n, size int64
	sum     func() (string, error)
	err     error // once the end was reached
}

func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.from.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	// A reader that reads exactly the announced bytes must see an error as well.
	if err == nil && v.n < v.size {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = v.end()
	}
	v.err = err
	return n, err
}

func (v *verified) end() error {
	want, err := v.sum()
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(v.hash.Sum(nil)); v.n != v.size || got != want {
		return fmt.Errorf("%w: it is sha256:%s now, with %d bytes", ErrChanged, got, v.n)
	}
	return io.EOF
}
