package distribution

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/thimble-build/thimble/build/internal/credentials"
)

// Client sends requests to one repository in a registry, after login. It is safe for concurrent
// use.
type Client struct {
	Explainer
	// Options are those of Open, with every default applied.
	Options Options
	// Name is the repository for go-containerregistry's functions.
	Name name.Repository
	// Mounts are the repositories of Options.MountFrom that blobs can be mounted from.
	Mounts []name.Repository

	wire  *wire
	login http.RoundTripper
	http  *http.Client
}

// Open logs in to the registry of a repository, such as ghcr.io/acme/api. ctx ends only the
// login. The error says what is wrong with the name, and is an [*Error] if the registry
// refused.
func Open(ctx context.Context, repository string, o Options) (*Client, error) {
	o = o.withDefaults()
	c := &Client{Options: o}
	var err error
	if c.Name, err = parse(repository, o.Insecure); err != nil {
		return nil, err
	}
	c.Explainer = Explainer{Label: repository, Host: hostOf(c.Name)}
	action := transport.PushScope
	if o.ReadOnly {
		action = transport.PullScope
	}
	scopes := []string{c.Name.Scope(action)}
	for _, m := range o.MountFrom {
		from, err := parse(m, o.Insecure)
		if err != nil {
			return nil, err
		}
		if from.RegistryStr() == c.Name.RegistryStr() && from != c.Name {
			c.Mounts = append(c.Mounts, from)
			scopes = append(scopes, from.Scope(transport.PullScope))
		}
	}
	auth := authn.Anonymous
	if o.Keychain != nil {
		if auth, err = authn.Resolve(ctx, o.Keychain, c.Name); err != nil {
			return nil, fmt.Errorf("read the credentials for %s: %w", c.Host, err)
		}
		if l, ok := auth.(*credentials.Login); ok {
			c.missing = l.Missing
		}
	}
	if c.wire, err = newWire(c.Name.Registry, o); err != nil {
		return nil, fmt.Errorf("reach %s: %w", c.Host, err)
	}
	tokens := &tokens{next: c.wire, own: "repository:" + c.Name.RepositoryStr() + ":"}
	heads := &heads{next: tokens}
	patient := &patient{once: heads, again: transport.NewRetry(heads, transport.WithRetryBackoff(o.Backoff),
		transport.WithRetryPredicate(temporary), transport.WithRetryStatusCodes(outages...))}
	c.login, err = transport.NewWithContext(ctx, c.Name.Registry, auth,
		transport.NewUserAgent(patient, o.UserAgent), scopes)
	if err != nil {
		verb := "push"
		if o.ReadOnly {
			verb = "pull"
		}
		c.Close()
		return nil, c.Explain(ctx, verb, "", err)
	}
	if tokens.refused.Load() {
		c.Mounts = nil
	}
	c.http = &http.Client{Transport: c.login}
	return c, nil
}

// RemoteOptions let go-containerregistry's functions, and code based on them, use this
// repository with the same login.
func (c *Client) RemoteOptions(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(c.login), remote.WithJobs(Jobs),
		remote.WithRetryBackoff(c.Options.Backoff), remote.WithRetryPredicate(temporary)}
}

// Close closes idle connections.
func (c *Client) Close() { c.wire.base.CloseIdleConnections() }

// OptionalStep returns the context of an optional step, which makes a release faster or tidier.
// A failure of such a step never stops a release. It is tried once, for a short time.
func (c *Client) OptionalStep(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(optional(ctx), c.Options.Optional)
}
