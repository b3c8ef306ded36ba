package filesum

import (
	"crypto/sha1" // SPDX 2.3 clause 8.4 requires it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"io"
)

// Digests are the digests of a file, in hex.
type Digests struct{ SHA1, SHA256, SHA512 string }

// ReadDigests reads all of content, and also returns its size in bytes.
func ReadDigests(content io.Reader) (d Digests, size int64, err error) {
	h1, h256, h512 := sha1.New(), sha256.New(), sha512.New()
	if size, err = io.Copy(io.MultiWriter(h1, h256, h512), content); err != nil {
		return Digests{}, 0, err
	}
	return Digests{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h256.Sum(nil)),
		hex.EncodeToString(h512.Sum(nil))}, size, nil
}
