package registry

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

// ReferrersSupport says how a registry lists the referrers of a manifest.
type ReferrersSupport string

const (
	// ReferrersNative is the API of OCI distribution-spec 1.1.
	ReferrersNative ReferrersSupport = "native"
	// ReferrersFallback is the tag sha256-<hex>, which clients maintain.
	ReferrersFallback ReferrersSupport = "fallback"
	// ReferrersUnknown is for a repository that does not exist yet.
	ReferrersUnknown ReferrersSupport = "unknown"
)

const (
	// MaxReferrers is how many referrers of a list are read; a list of this length may have
	// more.
	MaxReferrers = 5000
	// maxListed and maxPages limit what is read before something is added to a list. A page may
	// be empty.
	maxListed, maxPages = 100_000, 200
)

// referrers are the lists of manifests that refer to other manifests in a repository.
type referrers struct {
	client *distribution.Client
	// unlisted is why the registry refuses to list referrers, although it may have some.
	unlisted atomic.Pointer[distribution.Error]
}

// next matches the link to the following page (RFC 8288).
var next = regexp.MustCompile(`<([^>]*)>\s*;\s*rel="?next"?`)

// native asks the API, page by page, until it has limit entries.
func (r *referrers) native(ctx context.Context, digest v1.Hash,
	limit int) ([]v1.Descriptor, ReferrersSupport, error) {
	var listed []v1.Descriptor
	if r.unlisted.Load() != nil {
		return nil, ReferrersFallback, nil
	}
	page := distribution.URL(r.client.Name, "referrers", digest.String())
	for seen := map[string]bool{}; !seen[page] && len(seen) < maxPages && len(listed) < limit; {
		seen[page] = true
		a, err := r.client.Ask(ctx, distribution.Request{Method: http.MethodGet, URL: page,
			Header: map[string]string{"Accept": string(types.OCIImageIndex)},
			Codes: []int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound,
				http.StatusMethodNotAllowed,
				http.StatusNotAcceptable, http.StatusNotImplemented}})
		if refused := new(transport.Error); errors.As(err, &refused) &&
			refused.StatusCode != http.StatusTooManyRequests {
			// The registry may have no such API; then the tag lists the referrers.
			r.unlisted.Store(r.client.Refusal("list the referrers in "+r.client.Label, refused))
			return nil, ReferrersFallback, nil
		}
		if err != nil {
			return nil, "", err
		}
		if a.Status != http.StatusOK || distribution.MediaTypeOf(a.Body,
			a.Header.Get("Content-Type")) != types.OCIImageIndex {
			refused := transport.Error{}
			if json.Unmarshal(a.Body, &refused) == nil &&
				slices.ContainsFunc(refused.Errors, func(d transport.Diagnostic) bool {
					return d.Code == transport.NameUnknownErrorCode
				}) {
				return nil, ReferrersUnknown, nil
			}
			return nil, ReferrersFallback, nil
		}
		entries, err := ociread.Listed(a.Body, limit-len(listed))
		if err != nil {
			return nil, "", distribution.Problemf("the registry's list of referrers is not an index")
		}
		listed = append(listed, entries...)
		if link := next.FindStringSubmatch(a.Header.Get("Link")); link != nil {
			if u, err := a.URL.Parse(link[1]); err == nil && u.Host == a.URL.Host {
				page = u.String()
			}
		}
	}
	return listed, ReferrersNative, nil
}

// fallbackTag returns the tag that lists the referrers of a digest.
func fallbackTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex }

// errNoList is the error for a fallback tag that is used for something else.
var errNoList = distribution.Problemf(
	"the tag for the list of referrers points to something else, so nothing can be added to it; set " +
		"Config.Release.Forms to [\"tag\"], which needs no such list")

// fallback reads the list under the fallback tag; nil if there is none. If the tag points to
// the subject itself, as after "cosign copy", there is no list either, and the tag can become
// one. Any other target is an errNoList.
func (r *referrers) fallback(ctx context.Context, digest v1.Hash,
	limit int) (*distribution.Manifest, []v1.Descriptor, error) {
	found, err := r.client.Get(ctx, fallbackTag(digest))
	if err != nil || found == nil || found.Digest == digest {
		return nil, nil, err
	}
	entries, err := ociread.Listed(found.Raw, limit)
	if err != nil || found.MediaType != types.OCIImageIndex {
		return nil, nil, errNoList
	}
	return found, entries, nil
}

// putList adds entries to the list under the fallback tag. Registries refuse a list with
// entries that were removed from them: in that case, putList drops these entries.
func (r *referrers) putList(ctx context.Context, subject v1.Hash, old *distribution.Manifest,
	entries []v1.Descriptor) error {
	raw, err := merge(old, entries)
	if err != nil {
		return err
	}
	err = r.client.Put(ctx, fallbackTag(subject), raw, types.OCIImageIndex)
	if old == nil || !distribution.LacksNamed(err) {
		return err
	}
	index := v1.IndexManifest{}
	if err := json.Unmarshal(raw, &index); err != nil {
		return err
	}
	var left []v1.Descriptor
	for _, d := range index.Manifests {
		there, err := r.client.Has(ctx, r.client.Name, "manifests", d.Digest)
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
		return r.client.Put(ctx, fallbackTag(subject), raw, types.OCIImageIndex)
	}
	return err
}

// merge adds entries to the list under a fallback tag, without its invalid entries. The result
// depends only on the entries, not on their order.
func merge(old *distribution.Manifest, entries []v1.Descriptor) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2}
	if old != nil {
		listed, _, err := ociread.Entries(old.Raw, maxListed)
		if err != nil {
			return nil, distribution.Problemf("nothing can be added to the list of referrers: %v", err)
		}
		var others struct { // what else the list has
			v1.IndexManifest
			Manifests json.RawMessage `json:"manifests"`
		}
		if err := json.Unmarshal(old.Raw, &others); err != nil {
			return nil, err
		}
		index = others.IndexManifest
		index.Manifests = listed
	}
	index.MediaType = types.OCIImageIndex
	index.Manifests = sorted(slices.Concat(entries, index.Manifests))
	return json.Marshal(index)
}

// sorted sorts by digest and removes duplicates, keeping the first.
func sorted(entries []v1.Descriptor) []v1.Descriptor {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b v1.Descriptor) int {
		return strings.Compare(a.Digest.String(),
			b.Digest.String())
	})
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

// add makes sure that the subject's referrers include the entries. A registry with the
// referrers API adds them itself, possibly a little later.
func (r *referrers) add(ctx context.Context, subject v1.Hash, entries []v1.Descriptor) error {
	pause := r.client.Options.Backoff
	for attempt := 0; ; attempt++ {
		listed, support, err := r.native(ctx, subject, maxListed)
		if err != nil {
			return err
		}
		var old *distribution.Manifest
		if support != ReferrersNative {
			if old, listed, err = r.fallback(ctx, subject, maxListed); err != nil {
				return err
			}
		}
		if containsAll(listed, entries) {
			return nil
		}
		if attempt == 5 {
			return distribution.Problemf(
				"the list of referrers does not keep what is written; another process may be writing it: " +
					"run it again")
		}
		if support == ReferrersNative || attempt > 0 {
			if err := distribution.Sleep(ctx, pause.Step()); err != nil {
				return err
			}
		}
		if support != ReferrersNative {
			if err := r.putList(ctx, subject, old, entries); err != nil {
				return err
			}
		}
	}
}
