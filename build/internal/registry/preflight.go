package registry

import (
	"context"
	"fmt"
	"net/http"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// Preflight is what was learnt about a repository before anything is made for it.
type Preflight struct {
	// Tags are the tags that were asked about and exist, with what they point to.
	Tags map[string]v1.Hash
	// Referrers says how the registry lists them. In a repository that does not
	// exist yet it may not be known.
	Referrers ReferrersSupport
	// Skew is the registry's clock less ours, as the Date header has it: to the second.
	Skew time.Duration
}

// maxSkew is how far off the clock may be. Registries' tokens and Fulcio's
// certificates are valid for ten minutes or less.
const maxSkew = 5 * time.Minute

// SkewError is the error of Preflight for a clock that is off.
type SkewError struct {
	// Skew is the registry's clock less ours.
	Skew time.Duration
	text string
}

func (e *SkewError) Error() string { return e.text }

// Preflight starts an upload and gives it up, to learn whether we may write, and looks
// at the tags and at the clock. It needs no blob and leaves nothing behind. A tag that
// is not moving and points to another digest than want is an error; a zero want is one
// that is not known yet: then tags that exist are returned, and [Repository.Tag] checks.
func (r *Repository) Preflight(ctx context.Context, tags []Tag, want v1.Hash) (Preflight, error) {
	found := Preflight{Tags: map[string]v1.Hash{}}
	if err := checkNames(r.client.Label, tags); err != nil {
		return Preflight{}, err
	}
	started, err := r.client.Ask(ctx, distribution.Request{Method: http.MethodPost, URL: distribution.URL(r.client.Name, "blobs/uploads", ""), Codes: []int{http.StatusAccepted}})
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
		return Preflight{}, &SkewError{Skew: found.Skew, text: fmt.Sprintf("push %s: this machine's clock is %v %s that of %s; set it, for signatures and logins depend on it",
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
	// Any digest will do; the answer is in the status.
	probe := v1.Hash{Algorithm: "sha256", Hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	if _, found.Referrers, err = r.referrers.native(ctx, probe, 1); err != nil {
		return Preflight{}, r.client.Explain(ctx, "list the referrers in", "", err)
	}
	return found, nil
}
