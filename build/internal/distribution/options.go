package distribution

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Backoff.Steps == 0 {
		o.Backoff = remote.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.1, Steps: 5}
	}
	if o.Optional == 0 {
		o.Optional = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Jobs is how many blobs of an image, and how many images, are on their way at once.
const Jobs = 4
