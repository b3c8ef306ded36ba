package cache

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrCorrupt is the cause of an error of Blob if the fetched content does not match the digest.
var ErrCorrupt = errors.New("it was changed during the download or at its source")

// Sink is the destination of a blob. Reset drops what was written, for another attempt.
type Sink interface {
	io.Writer
	Reset()
}

// Blob returns an existing layer: d has the digest, size and media type of its compressed blob,
// diffID is the hash of its tar, which is not checked here. The layer comes from the cache if it
// is complete there; otherwise fetch writes it, one call at a time. Content of another size or
// hash is an ErrCorrupt, and is not kept.
func (c *Cache) Blob(ctx context.Context, d v1.Descriptor, diffID v1.Hash,
	fetch func(context.Context, Sink) error) (*Layer, error) {
	a := about{Digest: d.Digest, DiffID: diffID, Size: d.Size, MediaType: d.MediaType}
	if a.Digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("layer %s: only sha256 is supported", d.Digest)
	}
	v, err, _ := c.flight.Do("blob "+a.Digest.String()+" "+string(a.MediaType), func() (any, error) {
		if l, ok := c.open(ctx, a); ok {
			return l, nil
		}
		l, err := c.fetchBlob(ctx, a, fetch)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", a.Digest, err)
		}
		return l, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*Layer), nil
}

func (c *Cache) fetchBlob(ctx context.Context, a about,
	fetch func(context.Context, Sink) error) (layer *Layer, err error) {
	f, err := c.temporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name()) // Trim removes it otherwise
		}
	}()
	s := &sink{ctx: ctx, file: f, hash: sha256.New(), limit: a.Size}
	if err := fetch(ctx, s); err != nil {
		return nil, cmp.Or(s.err, err) // a local error is the cause
	}
	switch got := hex.EncodeToString(s.hash.Sum(nil)); {
	case s.err != nil:
		return nil, s.err
	case s.n != a.Size:
		return nil, fmt.Errorf("%w: it has %d bytes instead of %d", ErrCorrupt, s.n, a.Size)
	case got != a.Digest.Hex:
		return nil, fmt.Errorf("%w: its content is sha256:%s", ErrCorrupt, got)
	}
	l := &Layer{about: a}
	return l, c.settle(l, f)
}

// sink hashes what it writes, and refuses more bytes than announced.
type sink struct {
	ctx      context.Context
	file     *os.File
	hash     hash.Hash
	n, limit int64
	err      error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err == nil {
		s.err = context.Cause(s.ctx)
	}
	if s.err == nil && s.n+int64(len(p)) > s.limit {
		s.err = fmt.Errorf("%w: it has more than %d bytes", ErrCorrupt, s.limit)
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.file.Write(p)
	s.hash.Write(p[:n])
	s.n += int64(n)
	s.err = err
	return n, err
}

func (s *sink) Reset() {
	s.hash.Reset()
	s.n, s.err = 0, nil
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		s.err = err
	} else if err := s.file.Truncate(0); err != nil {
		s.err = err
	}
}
