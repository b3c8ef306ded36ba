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

// Options say how to connect to a registry.
type Options struct {
	// Keychain returns the credentials, such as a credentials.Keychain; nil means none. Its
	// errors are shown.
	Keychain authn.Keychain
	// ReadOnly requests no permission to write, for a repository that is only read.
	ReadOnly bool
	// Insecure allows plain HTTP to this registry. For localhost it is always allowed.
	Insecure bool
	// CAFiles are PEM files with CAs in addition to the system's.
	CAFiles []string
	// Proxy is as in http.Transport; nil is none.
	Proxy func(*http.Request) (*url.URL, error)
	// DialContext connects, as in http.Transport; nil is a net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// MountFrom are repositories that may have the blobs already, in order of preference. Those
	// in other registries are ignored, because blobs cannot be mounted from there.
	MountFrom []string
	// UserAgent is put before that of go-containerregistry.
	UserAgent string
	// Progress is called with the number of bytes of a blob that were just sent, from several
	// goroutines. Bytes that are sent again count again.
	Progress func(sent int64)
	// Backoff is the number of attempts (Steps) for a request during an outage, and the pauses.
	// The zero value means five attempts within about fifteen seconds.
	Backoff remote.Backoff
	// Optional is the time limit for a step that only makes things faster or tidier; zero means
	// 10 s.
	Optional time.Duration
	// Pace is how slow the registry may be.
	Pace Pace
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// withDefaults sets the empty fields.
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

// Jobs is how many blobs of an image, and how many images, are transferred at once.
const Jobs = 4
