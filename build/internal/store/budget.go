package store

import (
	"context"
	"fmt"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Budget limits what is read about the manifests of one reference.
type Budget struct {
	// slots limits how many manifests are downloaded at once.
	slots chan struct{}
	// left is how many bytes of manifests may still be kept in memory.
	left atomic.Int64
}

const (
	// maxManifests limits the manifests that are kept, in bytes. A release for two platforms, in
	// both forms and signed with a key, has 26 KB of manifests; a further platform adds about 10 KB.
	maxManifests = 16 << 20
)

// NewBudget returns an unused Budget.
func NewBudget() *Budget {
	r := &Budget{slots: make(chan struct{}, 8)}
	r.left.Store(maxManifests)
	return r
}

// do reads a manifest when there is a slot.
func (r *Budget) do(ctx context.Context, read func() error) error {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
		return read()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keep reserves memory for a manifest, or returns an error.
func (r *Budget) keep(manifest []byte) error {
	if r.left.Add(-int64(len(manifest))) < 0 {
		return fmt.Errorf("the manifests that belong to it come to more than %d MiB", maxManifests>>20)
	}
	return nil
}

func (r *Budget) keepImage(img v1.Image) error {
	if img == nil {
		return nil
	}
	raw, err := img.RawManifest()
	if err != nil {
		return err
	}
	return r.keep(raw)
}
