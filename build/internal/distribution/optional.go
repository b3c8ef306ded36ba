package distribution

import (
	"context"
	"net/http"
)

type onceKey struct{}

// optional returns a context for requests that are made only once.
func optional(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// isOptional reports whether a request belongs to an optional step.
func isOptional(ctx context.Context) bool { return ctx.Value(onceKey{}) != nil }

// patient repeats requests in an outage, except those of optional steps.
type patient struct{ again, once http.RoundTripper }

func (p *patient) RoundTrip(in *http.Request) (*http.Response, error) {
	if isOptional(in.Context()) {
		return p.once.RoundTrip(in)
	}
	return p.again.RoundTrip(in)
}
