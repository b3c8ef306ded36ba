package registry

import (
	"context"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// OpenBlob reads a blob of the size in its descriptor. At the end its digest is checked: if it
// is wrong, the reader returns an error instead of io.EOF.
func (r *Repository) OpenBlob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	l, err := remote.Layer(r.client.Name.Digest(d.Digest.String()), r.RemoteOptions(ctx)...)
	if err != nil {
		return nil, r.client.Explain(ctx, "pull", d.Digest.String(), err)
	}
	content, err := l.Compressed()
	if err != nil {
		return nil, r.client.Explain(ctx, "pull", d.Digest.String(), err)
	}
	return struct {
		io.Reader
		io.Closer
	}{limit.Bytes(limit.Reader(ctx, content), d.Size), content}, nil
}

// Blob writes a blob to a sink, which is reset before each attempt. The sink must check whether
// it is the requested blob.
func (r *Repository) Blob(ctx context.Context, digest v1.Hash, to interface {
	io.Writer
	Reset()
}) error {
	a, err := r.client.Ask(ctx, distribution.Request{Method: http.MethodGet,
		URL: distribution.URL(r.client.Name, "blobs", digest.String()), Sink: to,
		Codes: []int{http.StatusOK, http.StatusNotFound}})
	if err == nil && a.Status == http.StatusNotFound {
		err = distribution.Problemf("the registry does not have it")
	}
	return r.client.Explain(ctx, "pull", digest.String(), err)
}
