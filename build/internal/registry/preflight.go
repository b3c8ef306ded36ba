package registry

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Tag is a name to be given to a digest.
type Tag struct {
	Name string
	// Moving is a tag, such as latest, that may point to something else so far.
	Moving bool
}

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
	if err := r.checkNames(tags); err != nil {
		return Preflight{}, err
	}
	started, err := r.ask(ctx, request{method: http.MethodPost, url: r.url(r.name, "blobs/uploads", ""), codes: []int{http.StatusAccepted}})
	if err != nil {
		return Preflight{}, r.explain(ctx, "push", "", err)
	}
	if date, err := http.ParseTime(started.header.Get("Date")); err == nil {
		found.Skew = date.Sub(r.options.Now()).Round(time.Second)
	}
	r.giveUp(ctx, started)
	if found.Skew.Abs() > maxSkew {
		side := "behind"
		if found.Skew < 0 {
			side = "ahead of"
		}
		return Preflight{}, &SkewError{Skew: found.Skew, text: fmt.Sprintf("push %s: this machine's clock is %v %s that of %s; set it, for signatures and logins depend on it",
			r.label, found.Skew.Abs(), side, r.host())}
	}
	for _, tag := range tags {
		there, err := r.get(ctx, tag.Name)
		if err != nil {
			return Preflight{}, r.explain(ctx, "look up", tag.Name, err)
		}
		if there == nil {
			continue
		}
		found.Tags[tag.Name] = there.digest
		if want != (v1.Hash{}) {
			if err := r.checkFree(ctx, tag, there.digest, want); err != nil {
				return Preflight{}, err
			}
		}
	}
	// Any digest will do; the answer is in the status.
	probe := v1.Hash{Algorithm: "sha256", Hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
	if _, found.Referrers, err = r.native(ctx, probe, 1); err != nil {
		return Preflight{}, r.explain(ctx, "list the referrers in", "", err)
	}
	return found, nil
}

// giveUp cancels an upload that was started. It is an optional step: a registry that
// cannot lets the upload expire.
func (r *Repository) giveUp(ctx context.Context, started answer) {
	location, err := started.url.Parse(started.header.Get("Location"))
	if err != nil || location.Host != started.url.Host {
		return
	}
	ctx, cancel := r.optional(ctx)
	defer cancel()
	_, _ = r.ask(ctx, request{method: http.MethodDelete, url: location.String()})
}

// tagName is compiled when it is needed: it takes a millisecond. It is the grammar of the OCI distribution-spec.
var tagName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`) })

func (r *Repository) checkNames(tags []Tag) error {
	for _, tag := range tags {
		if !tagName().MatchString(tag.Name) {
			return problemf("tag %s: %q is no tag; use letters, digits, \"_\", \".\" and \"-\", 128 at most", r.label, tag.Name)
		}
	}
	return nil
}

// checkFree refuses to move a tag that is not a moving one.
func (r *Repository) checkFree(ctx context.Context, tag Tag, is, want v1.Hash) error {
	if tag.Moving || is == want {
		return nil
	}
	return r.explain(ctx, "tag", tag.Name, problemf("it points to %s already, and this is %s; release another version, or list the tag as a moving one", is, want))
}
