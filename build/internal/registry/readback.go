package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// ReadBack reads a manifest (index or image) and everything it refers to from the registry. It
// returns their descriptors: manifests in the order of the tree, then blobs in the order in
// which they are first named. Manifests and configurations are read completely and hashed.
// Layers must exist with the right size; with full they are also read and hashed. The error
// names the missing or wrong digest.
func (r *Repository) ReadBack(ctx context.Context, digest v1.Hash, full bool) ([]v1.Descriptor, error) {
	t := &tree{seen: map[v1.Hash]bool{}, hashed: map[v1.Hash]bool{}}
	if err := walk(ctx, r.client, v1.Descriptor{Digest: digest, Size: -1}, t); err != nil {
		return nil, err
	}
	err := checkBlobs(ctx, r.client, t.blobs,
		func(d v1.Descriptor) bool { return full || t.hashed[d.Digest] })
	if err != nil {
		return nil, err
	}
	return append(t.manifests, t.blobs...), nil
}

// HaveBlobs returns an error if one of the blobs does not exist with its size. The error names
// its digest.
func (r *Repository) HaveBlobs(ctx context.Context, blobs []v1.Descriptor) error {
	return checkBlobs(ctx, r.client, blobs, func(v1.Descriptor) bool { return false })
}

// checkBlobs calls checkBlob for each of the blobs.
func checkBlobs(ctx context.Context, c *distribution.Client, blobs []v1.Descriptor,
	whole func(v1.Descriptor) bool) error {
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(distribution.Jobs)
	for _, blob := range blobs {
		group.Go(func() error {
			return c.Explain(ctx, "read back", blob.Digest.String(), checkBlob(reading, c, blob, whole(blob)))
		})
	}
	return group.Wait()
}

// tree is everything that a manifest refers to, without duplicates.
type tree struct {
	seen             map[v1.Hash]bool
	hashed           map[v1.Hash]bool // blobs that are read completely: configurations
	manifests, blobs []v1.Descriptor
}

func (t *tree) add(list *[]v1.Descriptor, d v1.Descriptor) {
	if !t.seen[d.Digest] {
		t.seen[d.Digest] = true
		*list = append(*list, d)
	}
}

func walk(ctx context.Context, c *distribution.Client, at v1.Descriptor, t *tree) error {
	if t.seen[at.Digest] {
		return nil
	}
	found, err := c.Get(ctx, at.Digest.String())
	if err == nil && found == nil {
		err = distribution.Problemf("the registry does not have it")
	}
	if err == nil && at.Size >= 0 && at.Size != int64(len(found.Raw)) {
		err = distribution.Problemf("it has %d bytes, but its descriptor says %d", len(found.Raw), at.Size)
	}
	content := struct {
		Manifests []v1.Descriptor `json:"manifests"`
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
	}{}
	if err == nil && json.Unmarshal(found.Raw, &content) != nil {
		err = distribution.Problemf("it is not a manifest")
	}
	if err != nil {
		return c.Explain(ctx, "read back", at.Digest.String(), err)
	}
	at.Size = int64(len(found.Raw))
	if at.MediaType == "" {
		at.MediaType = found.MediaType
	}
	t.add(&t.manifests, at)
	for _, child := range content.Manifests {
		if !child.MediaType.IsIndex() && !child.MediaType.IsImage() {
			t.add(&t.blobs, child)
		} else if err := walk(ctx, c, child, t); err != nil {
			return err
		}
	}
	if content.Config != nil {
		t.hashed[content.Config.Digest] = true
		t.add(&t.blobs, *content.Config)
	}
	for _, layer := range content.Layers {
		if layer.MediaType.IsDistributable() {
			t.add(&t.blobs, layer)
		}
	}
	return nil
}

// checkBlob checks a blob's size, or its content.
func checkBlob(ctx context.Context, c *distribution.Client, blob v1.Descriptor, whole bool) error {
	q := distribution.Request{Method: http.MethodHead,
		URL:   distribution.URL(c.Name, "blobs", blob.Digest.String()),
		Codes: []int{http.StatusOK, http.StatusNotFound}}
	sum := &sink{Hash: sha256.New()}
	if whole {
		q.Method, q.Sink = http.MethodGet, sum
	}
	a, err := c.Ask(ctx, q)
	if err != nil {
		return err
	}
	if a.Status == http.StatusNotFound {
		return distribution.Problemf("the registry does not have it")
	}
	if !whole && a.Size < 0 { // the registry does not give a size
		return checkBlob(ctx, c, blob, true)
	}
	if whole {
		a.Size = sum.size
	}
	if a.Size != blob.Size {
		return distribution.Problemf("it has %d bytes, but its descriptor says %d", a.Size, blob.Size)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); whole && got != blob.Digest.Hex {
		return distribution.Problemf(
			"the registry returned sha256:%s instead; somebody changed it in transit or in the registry", got)
	}
	return nil
}

// sink hashes and counts.
type sink struct {
	hash.Hash
	size int64
}

func (s *sink) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.Hash.Write(p)
}

func (s *sink) Reset() {
	s.size = 0
	s.Hash.Reset()
}
