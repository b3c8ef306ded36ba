package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/thimble-build/thimble/build/internal/credentials"
)

// Options say how a registry is reached.
type Options struct {
	// Keychain has the credentials, such as a credentials.Keychain; nil means none. Its
	// errors are shown.
	Keychain authn.Keychain
	// ReadOnly asks for no permission to write, for a repository that is only read.
	ReadOnly bool
	// Insecure allows plain HTTP to this registry. It is always allowed to loopback hosts.
	Insecure bool
	// CAFiles are PEM files with certificate authorities beside the system's.
	CAFiles []string
	// Proxy is as in http.Transport: http.ProxyFromEnvironment for the usual
	// variables, nil for none.
	Proxy func(*http.Request) (*url.URL, error)
	// DialContext connects, as in http.Transport; nil is a net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// MountFrom are repositories that may hold the blobs already, in order of
	// preference. Those of other registries are passed over: nothing can be mounted
	// from there.
	MountFrom []string
	// UserAgent is put before that of go-containerregistry.
	UserAgent string
	// Progress is told how many bytes of a blob were just sent, from several
	// goroutines. What has to be sent again counts again.
	Progress func(sent int64)
	// Backoff says how often a request that met an outage is made (Steps), and the
	// pauses. The zero value makes five attempts within about fifteen seconds.
	Backoff remote.Backoff
	// Optional is how long a step may take that only makes things quicker or tidier; zero
	// means 10 s.
	Optional time.Duration
	// Pace is how slow the registry may be.
	Pace Pace
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// jobs is how many blobs of an image, and how many images, are on their way at once.
const jobs = 4

// Repository is a repository in a registry that has been logged in to. It is safe
// for concurrent use.
type Repository struct {
	name    name.Repository
	label   string // as the user wrote it
	options Options
	mounts  []name.Repository
	wire    *wire
	login   http.RoundTripper
	client  *http.Client
	missing []string // what should have had a login
	// unlisted is why the registry does not list referrers, although it might.
	unlisted atomic.Pointer[Error]

	attaching sync.Mutex
}

// Open logs in to the registry of a repository, such as ghcr.io/acme/api. ctx ends
// the login only. The error names what is wrong with the name, and is an [*Error]
// where the registry refused.
func Open(ctx context.Context, repository string, o Options) (*Repository, error) {
	if o.Backoff.Steps == 0 {
		o.Backoff = remote.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.1, Steps: 5}
	}
	if o.Optional == 0 {
		o.Optional = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Repository{label: repository, options: o}
	var err error
	if r.name, err = parse(repository, o.Insecure); err != nil {
		return nil, err
	}
	action := transport.PushScope
	if o.ReadOnly {
		action = transport.PullScope
	}
	scopes := []string{r.name.Scope(action)}
	for _, m := range o.MountFrom {
		from, err := parse(m, o.Insecure)
		if err != nil {
			return nil, err
		}
		if from.RegistryStr() == r.name.RegistryStr() && from != r.name {
			r.mounts = append(r.mounts, from)
			scopes = append(scopes, from.Scope(transport.PullScope))
		}
	}
	auth := authn.Anonymous
	if o.Keychain != nil {
		if auth, err = authn.Resolve(ctx, o.Keychain, r.name); err != nil {
			return nil, fmt.Errorf("read the credentials for %s: %w", r.host(), err)
		}
		if l, ok := auth.(*credentials.Login); ok {
			r.missing = l.Missing
		}
	}
	if r.wire, err = newWire(r.name.Registry, o); err != nil {
		return nil, fmt.Errorf("reach %s: %w", r.host(), err)
	}
	tokens := &tokens{next: r.wire, own: "repository:" + r.name.RepositoryStr() + ":"}
	heads := &heads{next: tokens}
	patient := &patient{once: heads, again: transport.NewRetry(heads, transport.WithRetryBackoff(o.Backoff),
		transport.WithRetryPredicate(temporary), transport.WithRetryStatusCodes(outages...))}
	r.login, err = transport.NewWithContext(ctx, r.name.Registry, auth, transport.NewUserAgent(patient, o.UserAgent), scopes)
	if err != nil {
		verb := "push"
		if o.ReadOnly {
			verb = "pull"
		}
		r.Close()
		return nil, r.explain(ctx, verb, "", err)
	}
	if tokens.refused.Load() {
		r.mounts = nil
	}
	r.client = &http.Client{Transport: r.login}
	return r, nil
}

// Name is the repository for go-containerregistry's functions.
func (r *Repository) Name() name.Repository { return r.name }

// RemoteOptions let go-containerregistry's functions, and what is built on them, read
// this repository over the same login. They are not for writing.
func (r *Repository) RemoteOptions(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(r.login), remote.WithJobs(jobs),
		remote.WithRetryBackoff(r.options.Backoff), remote.WithRetryPredicate(temporary)}
}

// Close closes the connections that are idle.
func (r *Repository) Close() { r.wire.base.CloseIdleConnections() }

// parse reads a repository's name. It must have its registry, so that a name that
// was meant otherwise does not end on Docker Hub.
func parse(repository string, insecure bool) (name.Repository, error) {
	const form = "; write it as registry/path, such as ghcr.io/acme/api"
	// Neither of these is echoed: what is before an @ may be a password.
	if strings.Contains(repository, "@") {
		return name.Repository{}, errors.New(`parse the repository's name: it has an "@"; leave out credentials (use "docker login") and digest`)
	}
	if strings.ContainsAny(repository, "?#") || strings.Contains(repository, "://") {
		return name.Repository{}, errors.New("parse the repository's name: it is a URL" + form)
	}
	host, _, _ := strings.Cut(repository, "/")
	options := []name.Option{name.StrictValidation}
	if insecure || isLoopback(host) {
		options = append(options, name.Insecure)
	}
	repo, err := name.NewRepository(repository, options...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("parse the repository's name %q: %w%s", repository, err, form)
	}
	return repo, nil
}

// isLoopback says whether a host, with or without a port, is this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// host is the registry as a user knows it.
func (r *Repository) host() string {
	if host := r.name.RegistryStr(); host != name.DefaultRegistry {
		return host
	}
	return "docker.io"
}
