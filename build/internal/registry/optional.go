package registry

import (
	"context"
	"net/http"
)

// An optional step makes a release quicker or tidier. Nothing that it meets stops a
// release, and it is tried once, for a short time.

type onceKey struct{}

// optional is the context of an optional step.
func (r *Repository) optional(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithValue(ctx, onceKey{}, true), r.options.Optional)
}

// isOptional says whether a request belongs to an optional step.
func isOptional(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// patient repeats requests in an outage, but those of optional steps.
type patient struct{ again, once http.RoundTripper }

func (p *patient) RoundTrip(in *http.Request) (*http.Response, error) {
	if isOptional(in.Context()) {
		return p.once.RoundTrip(in)
	}
	return p.again.RoundTrip(in)
}
