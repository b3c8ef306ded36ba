package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Support says whether a registry supports a feature.
type Support string

// The possible values of Support.
const (
	Supported   Support = "yes"
	Unsupported Support = "no"
	// NotKnown means that there is nothing yet to test with, or that the registry's answer is
	// ambiguous.
	NotKnown Support = "unknown"
)

// Capabilities are the features of a registry.
type Capabilities struct {
	// Indexes of images for several platforms (OCI image-spec, image-index.md).
	Indexes Support
	// Mounts of blobs that are already in the registry (OCI distribution-spec, "Mounting a blob
	// from another repository").
	Mounts Support
}

// Capabilities tests what Preflight does not need to know. It mounts a blob of the repository
// where it already is, and puts an index whose only manifest does not exist. Registries that
// support indexes refuse it for that reason. If a registry accepts it, Capabilities asks it to
// delete the index.
func (r *Repository) Capabilities(ctx context.Context) (Capabilities, error) {
	var c Capabilities
	var err error
	if c.Indexes, err = indexes(ctx, r.client); err != nil {
		return c, r.client.Explain(ctx, "push", "", err)
	}
	if c.Mounts, err = mountsBlobs(ctx, r.client); err != nil {
		return c, r.client.Explain(ctx, "push", "", err)
	}
	return c, nil
}

func indexes(ctx context.Context, c *distribution.Client) (Support, error) {
	raw, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: types.OCIManifestSchema1, Size: 2,
			Digest: v1.Hash{Algorithm: "sha256",
				Hex: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}, // of "{}"
			Platform: &v1.Platform{OS: "linux", Architecture: "amd64"},
		}},
	})
	if err != nil {
		return NotKnown, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return NotKnown, err
	}
	err = c.Put(ctx, digest.String(), raw, types.OCIImageIndex)
	if err == nil {
		// Many registries do not allow deletion: then a manifest of 300 bytes remains.
		ctx, cancel := c.OptionalStep(ctx)
		defer cancel()
		_, _ = c.Ask(ctx, distribution.Request{Method: http.MethodDelete,
			URL: distribution.URL(c.Name, "manifests", digest.String())})
		return Supported, nil
	}
	answer := new(transport.Error)
	if !errors.As(err, &answer) || answer.StatusCode == http.StatusUnauthorized ||
		answer.StatusCode == http.StatusForbidden || distribution.Outage(answer.StatusCode) {
		return NotKnown, err
	}
	if distribution.LacksNamed(err) {
		return Supported, nil // it has read the index
	}
	if slices.ContainsFunc(answer.Errors, func(
		d transport.Diagnostic) bool {
		return d.Code == transport.UnsupportedErrorCode
	}) {
		return Unsupported, nil
	}
	if answer.StatusCode == http.StatusUnsupportedMediaType {
		return Unsupported, nil
	}
	return NotKnown, nil
}

// mountsBlobs mounts a blob of an image that a tag of the repository points to.
func mountsBlobs(ctx context.Context, c *distribution.Client) (Support, error) {
	blob, err := anyBlob(ctx, c)
	if err != nil || blob == (v1.Hash{}) {
		return NotKnown, err
	}
	query := url.Values{"mount": {blob.String()}, "from": {c.Name.RepositoryStr()}}.Encode()
	a, err := c.Ask(ctx, distribution.Request{Method: http.MethodPost,
		URL:   distribution.URL(c.Name, "blobs/uploads", "") + "?" + query,
		Codes: []int{http.StatusCreated, http.StatusAccepted}})
	if err != nil {
		return NotKnown, err
	}
	if a.Status == http.StatusCreated {
		return Supported, nil
	}
	giveUp(ctx, c, a)
	return Unsupported, nil
}

// anyBlob returns a blob that the repository has; zero if the repository is empty.
func anyBlob(ctx context.Context, c *distribution.Client) (v1.Hash, error) {
	none := v1.Hash{}
	list, err := c.Ask(ctx, distribution.Request{Method: http.MethodGet,
		URL:   distribution.URL(c.Name, "tags", "list") + "?n=1",
		Codes: []int{http.StatusOK, http.StatusNotFound}})
	if err != nil {
		return none, err
	}
	var tags struct{ Tags []string }
	if list.Status != http.StatusOK || json.Unmarshal(list.Body, &tags) != nil || len(tags.Tags) == 0 {
		return none, nil
	}
	ref := tags.Tags[0]
	if _, err := name.NewTag(c.Name.Name()+":"+ref, name.StrictValidation); err != nil {
		return none, nil
	}
	for range 2 { // an index, and an image in it
		found, err := c.Get(ctx, ref)
		if err != nil || found == nil {
			return none, err
		}
		var m struct {
			Config    *v1.Descriptor
			Manifests []v1.Descriptor
		}
		if json.Unmarshal(found.Raw, &m) != nil {
			return none, nil
		}
		if m.Config != nil {
			return m.Config.Digest, nil
		}
		if len(m.Manifests) == 0 {
			return none, nil
		}
		ref = m.Manifests[0].Digest.String()
	}
	return none, nil
}
