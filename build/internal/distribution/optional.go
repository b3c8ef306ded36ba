package distribution

import (
	"context"
	"net/http"
)

type onceKey struct{}

// optional is the context of requests that are made once.
func optional(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

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
