package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/ociread"
)

// ReferrersSupport is how a registry lists the referrers of a manifest.
type ReferrersSupport string

const (
	// ReferrersNative is the API of OCI distribution-spec 1.1.
	ReferrersNative ReferrersSupport = "native"
	// ReferrersFallback is the tag sha256-<hex>, which clients keep.
	ReferrersFallback ReferrersSupport = "fallback"
	// ReferrersUnknown is that of a repository that does not exist yet.
	ReferrersUnknown ReferrersSupport = "unknown"
)

const (
	// MaxReferrers is how many referrers are read of a list; a list of so many may have more.
	MaxReferrers = 5000
	// maxListed and maxPages bound what is read before something is added to a list. A page
	// may be empty.
	maxListed, maxPages = 100_000, 200
)

// Referrers returns the descriptors of the manifests that have digest as subject, at most
// [MaxReferrers], sorted by digest: from the API, else from the fallback tag. A descriptor's
// artifactType and annotations are what the registry or another client wrote there
// (go-containerregistry's own registry puts the configuration's type into
// artifactType), so read the manifest before a decision depends on them.
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	listed, support, err := r.native(ctx, digest, MaxReferrers)
	if err == nil && support != ReferrersNative {
		if _, listed, err = r.fallback(ctx, digest, MaxReferrers); errors.Is(err, errNoList) {
			listed, err = nil, nil // it names no referrer
		}
	}
	if err != nil {
		return nil, r.explain(ctx, "list the referrers of", digest.String(), err)
	}
	listed = sorted(listed)
	return listed[:min(len(listed), MaxReferrers)], nil
}

// Unlisted is why the registry did not list referrers, if it refused that in a way that
// may mean more than that it cannot: then what is not under the fallback tag may be there
// all the same. It is nil otherwise.
func (r *Repository) Unlisted() error {
	if refused := r.unlisted.Load(); refused != nil {
		return refused
	}
	return nil
}

// next is the way to the following page (RFC 8288).
var next = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// native asks the API, page by page, until it has so many.
func (r *Repository) native(ctx context.Context, digest v1.Hash, limit int) ([]v1.Descriptor, ReferrersSupport, error) {
	var listed []v1.Descriptor
	if r.unlisted.Load() != nil {
		return nil, ReferrersFallback, nil
	}
	page := r.url(r.name, "referrers", digest.String())
	for seen := map[string]bool{}; !seen[page] && len(seen) < maxPages && len(listed) < limit; {
		seen[page] = true
		a, err := r.ask(ctx, request{method: http.MethodGet, url: page,
			header: map[string]string{"Accept": string(types.OCIImageIndex)},
			codes: []int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
				http.StatusNotAcceptable, http.StatusNotImplemented}})
		if refused := new(transport.Error); errors.As(err, &refused) && refused.StatusCode != http.StatusTooManyRequests {
			// It may have no API, and answers so; what lists the referrers then is the tag.
			r.unlisted.Store(r.refusal("list the referrers in "+r.label, refused))
			return nil, ReferrersFallback, nil
		}
		if err != nil {
			return nil, "", err
		}
		if a.status != http.StatusOK || mediaTypeOf(a.body, a.header.Get("Content-Type")) != types.OCIImageIndex {
			refused := transport.Error{}
			if json.Unmarshal(a.body, &refused) == nil && slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool {
				return d.Code == transport.NameUnknownErrorCode
			}) {
				return nil, ReferrersUnknown, nil
			}
			return nil, ReferrersFallback, nil
		}
		entries, err := ociread.Listed(a.body, limit-len(listed))
		if err != nil {
			return nil, "", problemf("the registry's list of referrers is no index")
		}
		listed = append(listed, entries...)
		if link := next.FindStringSubmatch(a.header.Get("Link")); link != nil {
			if u, err := a.url.Parse(link[1]); err == nil && u.Host == a.url.Host {
				page = u.String()
			}
		}
	}
	return listed, ReferrersNative, nil
}

// fallbackTag is the tag that lists the referrers of a digest.
func fallbackTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex }

// errNoList is that of a fallback tag that somebody uses for something else.
var errNoList = problemf("the tag for the list of referrers points to something else, and nothing can be added to it; set Config.Release.Forms to [\"tag\"], which needs no such list")

// fallback reads the list under the fallback tag; it is nil where there is none. Where the
// tag points to the subject itself, as "cosign copy" leaves it, there is no list either, and
// the tag is free to become one. Anything else is an errNoList.
func (r *Repository) fallback(ctx context.Context, digest v1.Hash, limit int) (*manifest, []v1.Descriptor, error) {
	found, err := r.get(ctx, fallbackTag(digest))
	if err != nil || found == nil || found.digest == digest {
		return nil, nil, err
	}
	entries, err := ociread.Listed(found.raw, limit)
	if err != nil || found.mediaType != types.OCIImageIndex {
		return nil, nil, errNoList
	}
	return found, entries, nil
}

// putList adds entries to the list under the fallback tag. Registries take no list that
// names what was removed from them: where that is why it is refused, those names go.
func (r *Repository) putList(ctx context.Context, subject v1.Hash, old *manifest, entries []v1.Descriptor) error {
	raw, err := merge(old, entries)
	if err != nil {
		return err
	}
	err = r.put(ctx, fallbackTag(subject), raw, types.OCIImageIndex)
	if old == nil || !lacksNamed(err) {
		return err
	}
	index := v1.IndexManifest{}
	if err := json.Unmarshal(raw, &index); err != nil {
		return err
	}
	var left []v1.Descriptor
	for _, d := range index.Manifests {
		there, err := r.has(ctx, r.name, "manifests", d.Digest)
		if err != nil {
			return err
		}
		if there {
			left = append(left, d)
		}
	}
	if index.Manifests = left; containsAll(left, entries) {
		if raw, err = json.Marshal(index); err != nil {
			return err
		}
		return r.put(ctx, fallbackTag(subject), raw, types.OCIImageIndex)
	}
	return err
}

// lacksNamed says whether a registry refused a manifest because it does not have what
// the manifest names.
func lacksNamed(err error) bool {
	refused := new(transport.Error)
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool {
		switch d.Code {
		case transport.ManifestUnknownErrorCode, transport.ManifestBlobUnknownErrorCode, transport.BlobUnknownErrorCode:
			return true
		}
		return false
	})
}

// merge adds entries to the list under a fallback tag. The result depends only on what
// is in the list, not on the order in which it came there.
func merge(old *manifest, entries []v1.Descriptor) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2}
	if old != nil {
		if err := json.Unmarshal(old.raw, &index); err != nil {
			return nil, err
		}
	}
	index.MediaType = types.OCIImageIndex
	index.Manifests = sorted(slices.Concat(entries, index.Manifests))
	return json.Marshal(index)
}

// sorted sorts by digest and keeps the first of those with the same one.
func sorted(entries []v1.Descriptor) []v1.Descriptor {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	return slices.CompactFunc(entries, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
}

func containsAll(listed, entries []v1.Descriptor) bool {
	for _, e := range entries {
		if !slices.ContainsFunc(listed, func(l v1.Descriptor) bool { return l.Digest == e.Digest }) {
			return false
		}
	}
	return true
}
