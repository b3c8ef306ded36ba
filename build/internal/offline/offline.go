// Package offline keeps a run from the network: this process by the way that it
// connects, children by their environment. It knows no stage; whoever opens
// connections takes [DialContext] or [Transport], whoever has an address to name asks
// [Check] before it prepares anything, and every child gets [Env].
//
// Loopback addresses stay open, since a registry or a module proxy on this machine is
// no network. A name is one only if it is localhost: to look up another would be a
// question to a server.
package offline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrOffline is what every refusal is.
var ErrOffline = errors.New("not fetched, because of -offline")

// Error is a connection that was refused.
type Error struct {
	// Address is a host, with its port where it is known.
	Address string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s is not on this machine, and -offline allows no other; leave -offline out", e.Address)
}

// Is makes it an [ErrOffline].
func (e *Error) Is(target error) bool { return target == ErrOffline }

// Check returns an [*Error] for a host, a host with its port, or a URL that is not on
// this machine.
func Check(address string) error {
	host := address
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		u, err := url.Parse(address)
		if scheme == "unix" || scheme == "npipe" || scheme == "fd" || scheme == "file" {
			return nil
		}
		if err == nil { // else the whole of it is no host of this machine
			host = u.Host
		}
	}
	if Loopback(host) {
		return nil
	}
	return &Error{Address: host}
}

// Loopback says whether a host, with or without a port, is this machine.
func Loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return isLocalhost(host) || ip != nil && ip.IsLoopback()
}

func isLocalhost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// DialContext connects to this machine, and gives an [*Error] for any other. It asks
// no name server: localhost is 127.0.0.1 and ::1 (RFC 6761, section 6.3).
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(network, "unix") {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	if !Loopback(address) {
		return nil, &Error{Address: address}
	}
	dialer := net.Dialer{Timeout: 30 * time.Second}
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLocalhost(host) {
		return dialer.DialContext(ctx, network, address)
	}
	conn, err := dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		if six, sixErr := dialer.DialContext(ctx, network, net.JoinHostPort("::1", port)); sixErr == nil {
			return six, nil
		}
	}
	return conn, err
}

// Transport is http.DefaultTransport with DialContext, and without a proxy: one on
// this machine would ask others.
func Transport() *http.Transport {
	t := &http.Transport{}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		t = standard.Clone()
	}
	t.Proxy, t.DialContext = nil, DialContext
	return t
}

// Process closes what libraries use that cannot be given a transport: the default
// transport and the resolver of this process. It is for programs that do nothing but
// one run, and cannot be undone.
func Process() {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t.Proxy, t.DialContext = nil, DialContext
	}
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = DialContext
}
