package registry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Preflight describes a repository before anything is made for it.
type Preflight struct {
	// Tags are the requested tags that exist, with their digests.
	Tags map[string]v1.Hash
	// Referrers says how the registry lists them. It may be unknown if the repository does not
	// exist yet.
	Referrers ReferrersSupport
	// Skew is the registry's clock minus the local clock, by the Date header: in seconds.
	Skew time.Duration
}

// maxSkew is the allowed difference of the clocks. Tokens of registries and certificates of
// Fulcio are valid for ten minutes or less.
const maxSkew = 5 * time.Minute

// SkewError is the error of Preflight for a wrong clock.
type SkewError struct {
	// Skew is the registry's clock minus the local clock.
	Skew time.Duration
	text string
}

func (e *SkewError) Error() string { return e.text }

// Preflight starts an upload and cancels it, to find out whether writing is allowed, and checks
// the tags and the clock. It needs no blob and leaves nothing behind. A tag that is not moving
// and points to another digest than want is an error. want is zero if the digest is not known
// yet: then existing tags are returned, and [Repository.Tag] checks them.
func (r *Repository) Preflight(ctx context.Context, tags []Tag, want v1.Hash) (Preflight, error) {
	found := Preflight{Tags: map[string]v1.Hash{}}
	if err := checkNames(r.client.Label, tags); err != nil {
		return Preflight{}, err
	}
	started, err := r.client.Ask(ctx, distribution.Request{Method: http.MethodPost,
		URL: distribution.URL(r.client.Name, "blobs/uploads", ""), Codes: []int{http.StatusAccepted}})
	if err != nil {
		return Preflight{}, r.client.Explain(ctx, "push", "", err)
	}
	if date, err := http.ParseTime(started.Header.Get("Date")); err == nil {
		found.Skew = date.Sub(r.client.Options.Now()).Round(time.Second)
	}
	giveUp(ctx, r.client, started)
	if found.Skew.Abs() > maxSkew {
		side := "behind"
		if found.Skew < 0 {
			side = "ahead of"
		}
		return Preflight{}, &SkewError{Skew: found.Skew,
			text: fmt.Sprintf(
				"push %s: this machine's clock is %v %s that of %s; set it, because signatures and logins "+
					"depend on it",
				r.client.Label, found.Skew.Abs(), side, r.client.Host)}
	}
	for _, tag := range tags {
		there, err := r.client.Get(ctx, tag.Name)
		if err != nil {
			return Preflight{}, r.client.Explain(ctx, "look up", tag.Name, err)
		}
		if there == nil {
			continue
		}
		found.Tags[tag.Name] = there.Digest
		if want != (v1.Hash{}) {
			if err := checkFree(ctx, r.client, tag, there.Digest, want); err != nil {
				return Preflight{}, err
			}
		}
	}
	// Any digest works; the answer is in the status.
	probe := v1.Hash{Algorithm: "sha256",
		Hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	if _, found.Referrers, err = r.referrers.native(ctx, probe, 1); err != nil {
		return Preflight{}, r.client.Explain(ctx, "list the referrers in", "", err)
	}
	return found, nil
}
