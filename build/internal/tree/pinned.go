package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"maps"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// Pinned reads the tree, and returns it with the content that its files have now, and the SHA-256
// of its tar in hex. If a file is changed later, reading it from the returned tree ends with
// [filesum.ErrChanged]. So whatever is cached under that hash has this content.
func (t *Tree) Pinned(ctx context.Context) (pinned *Tree, sum string, err error) {
	now := &Tree{nodes: maps.Clone(t.nodes)}
	hashes := map[string]hash.Hash{}
	for p, e := range t.nodes {
		if e.Open == nil {
			continue
		}
		open, h := e.Open, sha256.New()
		e.Open = func() (io.ReadCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return readCloser{io.TeeReader(r, h), r}, nil
		}
		now.nodes[p], hashes[p] = e, h
	}
	all := sha256.New()
	if err := now.WriteTar(limit.Writer(ctx, all)); err != nil {
		return nil, "", err
	}
	pinned = &Tree{nodes: maps.Clone(t.nodes), components: t.components}
	for p, h := range hashes {
		e := t.nodes[p]
		open, size, content := e.Open, e.Size, hex.EncodeToString(h.Sum(nil))
		e.Open = func() (io.ReadCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return readCloser{filesum.Verify(r, size, func() (string, error) { return content, nil }), r}, nil
		}
		pinned.nodes[p] = e
	}
	return pinned, hex.EncodeToString(all.Sum(nil)), nil
}

type readCloser struct {
	io.Reader
	io.Closer
}
