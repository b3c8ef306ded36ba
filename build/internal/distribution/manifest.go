package distribution

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifestTypes are the accepted types in an answer to a GET of a manifest.
var manifestTypes = strings.Join([]string{string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2)}, ",")

// Manifest is a manifest in the registry, with the digest of its bytes.
type Manifest struct {
	Raw       []byte
	MediaType types.MediaType
	Digest    v1.Hash
}

// Get returns the manifest under a tag or digest, or nil if there is none. Its bytes are
// hashed; with a digest as ref, the hash must be equal.
func (c *Client) Get(ctx context.Context, ref string) (*Manifest, error) {
	a, err := c.Ask(ctx, Request{Method: http.MethodGet, URL: URL(c.Name, "manifests", ref),
		Header: map[string]string{"Accept": manifestTypes}, Codes: []int{http.StatusOK, http.StatusNotFound}})
	if err != nil || a.Status == http.StatusNotFound {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(a.Body))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(ref, "sha256:") && digest.String() != ref {
		return nil, Problemf(
			"the registry returned %s instead; somebody changed it in transit or in the registry", digest)
	}
	return &Manifest{Raw: a.Body, Digest: digest,
		MediaType: MediaTypeOf(a.Body, a.Header.Get("Content-Type"))}, nil
}

// Has reports whether a repository has an object of a kind ("manifests", "blobs") by digest.
func (c *Client) Has(ctx context.Context, repo name.Repository, kind string, digest v1.Hash) (bool, error) {
	a, err := c.head(ctx, repo, kind, digest)
	return a.Status == http.StatusOK, err
}

func (c *Client) head(ctx context.Context, repo name.Repository, kind string,
	digest v1.Hash) (Answer, error) {
	return c.Ask(ctx, Request{Method: http.MethodHead, URL: URL(repo, kind, digest.String()),
		Header: map[string]string{"Accept": manifestTypes}, Codes: []int{http.StatusOK, http.StatusNotFound}})
}

// HasManifest is Has for a manifest with known bytes. If the size differs, a registry that does
// not check digests stored an incomplete upload; putting it again fixes that.
func (c *Client) HasManifest(ctx context.Context, digest v1.Hash, raw []byte) (bool, error) {
	a, err := c.head(ctx, c.Name, "manifests", digest)
	return a.Status == http.StatusOK && (a.Size < 0 || a.Size == int64(len(raw))), err
}

// Put writes a manifest under a tag or digest.
func (c *Client) Put(ctx context.Context, ref string, raw []byte, mediaType types.MediaType) error {
	_, err := c.Ask(ctx, Request{Method: http.MethodPut, URL: URL(c.Name, "manifests", ref), Body: raw,
		Header: map[string]string{"Content-Type": string(mediaType)},
		Codes:  []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}})
	return err
}
