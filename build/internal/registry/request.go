package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/ociread"
)

// manifestTypes are what a GET of a manifest may be answered with.
var manifestTypes = strings.Join([]string{string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2)}, ",")

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	url    *url.URL
	size   int64 // Content-Length; -1 if unknown
	body   []byte
}

// request is one for [Repository.ask].
type request struct {
	method, url string
	header      map[string]string
	body        []byte
	// codes are the statuses that are no error.
	codes []int
	// sink takes the body in place of answer.body; it is reset before each attempt.
	sink interface {
		io.Writer
		Reset()
	}
}

// interrupted is a body that ended before its end.
type interrupted struct{ error }

func (i interrupted) Unwrap() error { return i.error }

// ask makes a request. The transport repeats it in an outage; a body that breaks off
// is asked for again here.
func (r *Repository) ask(ctx context.Context, q request) (answer, error) {
	backoff := r.options.Backoff
	for {
		a, err := r.askOnce(ctx, q)
		broken := interrupted{}
		if isOptional(ctx) || !errors.As(err, &broken) || !temporary(err) || backoff.Steps <= 1 {
			return a, err
		}
		if err := sleep(ctx, backoff.Step()); err != nil {
			return answer{}, err
		}
	}
}

func (r *Repository) askOnce(ctx context.Context, q request) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, bytes.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	for key, value := range q.header {
		req.Header.Set(key, value)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if err := transport.CheckError(resp, q.codes...); err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, url: resp.Request.URL, size: resp.ContentLength}
	if q.sink != nil {
		q.sink.Reset()
		if _, err := io.Copy(q.sink, resp.Body); err != nil {
			return answer{}, interrupted{err}
		}
		return a, nil
	}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, ociread.MaxSize+1)); err != nil {
		return answer{}, interrupted{err}
	}
	if len(a.body) > ociread.MaxSize {
		return answer{}, problemf("the registry's answer is larger than %d MiB", ociread.MaxSize>>20)
	}
	return a, nil
}

// url is that of something in a repository: url(repo, "manifests", "v1").
func (r *Repository) url(repo name.Repository, kind, what string) string {
	u := url.URL{Scheme: repo.Scheme(), Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/" + kind + "/" + what}
	return u.String()
}

// manifest is one in the registry, with the digest of its bytes.
type manifest struct {
	raw       []byte
	mediaType types.MediaType
	digest    v1.Hash
}

// get returns the manifest under a tag or digest, or nil where there is none. Its
// bytes are hashed; those under a digest must have it.
func (r *Repository) get(ctx context.Context, ref string) (*manifest, error) {
	a, err := r.ask(ctx, request{method: http.MethodGet, url: r.url(r.name, "manifests", ref),
		header: map[string]string{"Accept": manifestTypes}, codes: []int{http.StatusOK, http.StatusNotFound}})
	if err != nil || a.status == http.StatusNotFound {
		return nil, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(ref, "sha256:") && digest.String() != ref {
		return nil, problemf("the registry gives %s for it; somebody has changed it on the way or in the registry", digest)
	}
	return &manifest{raw: a.body, digest: digest, mediaType: mediaTypeOf(a.body, a.header.Get("Content-Type"))}, nil
}

// has says whether something ("manifests", "blobs") is in a repository by digest.
func (r *Repository) has(ctx context.Context, repo name.Repository, kind string, digest v1.Hash, also ...int) (bool, error) {
	a, err := r.head(ctx, repo, kind, digest, also...)
	return a.status == http.StatusOK, err
}

func (r *Repository) head(ctx context.Context, repo name.Repository, kind string, digest v1.Hash, also ...int) (answer, error) {
	return r.ask(ctx, request{method: http.MethodHead, url: r.url(repo, kind, digest.String()),
		header: map[string]string{"Accept": manifestTypes}, codes: slices.Concat([]int{http.StatusOK, http.StatusNotFound}, also)})
}

// hasManifest is has for a manifest whose bytes are known. One of another size was cut
// off on its way by a registry that does not check digests; putting it again fixes that.
func (r *Repository) hasManifest(ctx context.Context, digest v1.Hash, raw []byte) (bool, error) {
	a, err := r.head(ctx, r.name, "manifests", digest)
	return a.status == http.StatusOK && (a.size < 0 || a.size == int64(len(raw))), err
}

// put writes a manifest under a tag or digest.
func (r *Repository) put(ctx context.Context, ref string, raw []byte, mediaType types.MediaType) error {
	_, err := r.ask(ctx, request{method: http.MethodPut, url: r.url(r.name, "manifests", ref), body: raw,
		header: map[string]string{"Content-Type": string(mediaType)},
		codes:  []int{http.StatusOK, http.StatusCreated, http.StatusAccepted}})
	return err
}

// Resolve returns the digest of what a tag points to: of the bytes that the registry
// gives, whatever it says about them. It is zero where there is no such tag.
func (r *Repository) Resolve(ctx context.Context, tag string) (v1.Hash, error) {
	found, err := r.get(ctx, tag)
	if err != nil || found == nil {
		return v1.Hash{}, r.explain(ctx, "resolve", tag, err)
	}
	return found.digest, nil
}
