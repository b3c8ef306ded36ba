package registry

import (
	"context"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob writes a blob to a sink, which is reset before each attempt. Whether it is the
// blob that was asked for, the sink must find out.
func (r *Repository) Blob(ctx context.Context, digest v1.Hash, to interface {
	io.Writer
	Reset()
}) error {
	a, err := r.ask(ctx, request{method: http.MethodGet, url: r.url(r.name, "blobs", digest.String()), sink: to,
		codes: []int{http.StatusOK, http.StatusNotFound}})
	if err == nil && a.status == http.StatusNotFound {
		err = problemf("the registry does not have it")
	}
	return r.explain(ctx, "pull", digest.String(), err)
}
