package distribution

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/ociread"
)

// heads uses GET for a HEAD if a registry, a proxy in front of it or its storage refuses HEAD,
// or if the answer about a manifest lacks what go-containerregistry needs.
type heads struct{ next http.RoundTripper }

// headRefused are the answers to HEAD that say nothing about the requested object.
var headRefused = map[int]bool{
	http.StatusBadRequest: true, http.StatusUnauthorized: true, http.StatusForbidden: true,
	http.StatusMethodNotAllowed: true, http.StatusNotAcceptable: true, http.StatusNotImplemented: true,
}

func (h *heads) RoundTrip(in *http.Request) (*http.Response, error) {
	resp, err := h.next.RoundTrip(in)
	if err != nil || in.Method != http.MethodHead {
		return resp, err
	}
	manifest := strings.Contains(in.URL.Path, "/manifests/")
	silent := manifest && resp.StatusCode == http.StatusOK && (resp.ContentLength < 0 ||
		resp.Header.Get("Docker-Content-Digest") == "" || resp.Header.Get("Content-Type") == "")
	if !silent && !headRefused[resp.StatusCode] {
		return resp, nil
	}
	get := in.Clone(in.Context())
	get.Method = http.MethodGet
	if !manifest {
		get.Header.Set("Range", "bytes=0-0")
	}
	other, err := h.next.RoundTrip(get)
	if err != nil {
		if silent {
			resp.Body.Close()
			return nil, err
		}
		return resp, nil
	}
	asked := false
	switch {
	case other.StatusCode >= 300 && other.StatusCode < 400 || other.StatusCode == http.StatusNotFound:
		asked = true
	case other.StatusCode == http.StatusOK && manifest:
		asked = describe(other)
	case other.StatusCode == http.StatusOK:
		asked = true
	case !manifest && (other.StatusCode == http.StatusPartialContent ||
		other.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		asked = measure(other)
	}
	other.Body.Close()
	if !asked {
		return resp, nil
	}
	resp.Body.Close()
	other.Body, other.Request = http.NoBody, in
	return other, nil
}

// describe sets the headers of a manifest that a HEAD returns: digest, size and type.
func describe(resp *http.Response) bool {
	body, err := io.ReadAll(io.LimitReader(resp.Body, ociread.MaxSize+1))
	if err != nil || len(body) > ociread.MaxSize {
		return false
	}
	digest, size, err := v1.SHA256(bytes.NewReader(body))
	if err != nil {
		return false
	}
	resp.ContentLength = size
	resp.Header.Set("Content-Length", strconv.FormatInt(size, 10))
	resp.Header.Set("Docker-Content-Digest", digest.String())
	resp.Header.Set("Content-Type", string(MediaTypeOf(body, resp.Header.Get("Content-Type"))))
	return true
}

// measure returns the size of a blob from the answer to a request for its first byte (RFC 9110,
// section 14.4).
func measure(resp *http.Response) bool {
	_, total, ok := strings.Cut(resp.Header.Get("Content-Range"), "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if !ok || err != nil || size < 0 {
		return false
	}
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.ContentLength = size
	resp.Header.Set("Content-Length", strconv.FormatInt(size, 10))
	return true
}

// MediaTypeOf returns a manifest's media type: from the manifest, else from the header, else
// from its structure (OCI image-spec, "mediaType" of manifest and index).
func MediaTypeOf(raw []byte, header string) types.MediaType {
	var is struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Config    json.RawMessage `json:"config"`
	}
	said, _, _ := strings.Cut(header, ";")
	mediaType := types.MediaType(strings.TrimSpace(said))
	if json.Unmarshal(raw, &is) != nil {
		return mediaType
	}
	switch {
	case is.MediaType != "":
		return is.MediaType
	case mediaType.IsIndex() || mediaType.IsImage() || mediaType.IsSchema1():
		return mediaType
	case is.Manifests != nil:
		return types.OCIImageIndex
	case is.Config != nil:
		return types.OCIManifestSchema1
	}
	return mediaType
}
