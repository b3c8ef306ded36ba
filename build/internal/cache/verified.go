package cache

import "io"

// unpacked is the tar in a blob.
type unpacked struct {
	io.ReadCloser
	blob io.Reader // fails at its end if it does not match the digest
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err == io.EOF {
		if _, drained := io.Copy(io.Discard, u.blob); drained != nil {
			err = drained
		}
	}
	return n, err
}
