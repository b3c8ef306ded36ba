// Package offline keeps a run from using the network: this process by its dialer, children by
// their environment. It knows no stage: code that opens connections uses [DialContext] or
// [Transport], code that has an address calls [Check] first, and every child gets [Env].
//
// Loopback addresses are allowed, since a registry or a module proxy on this machine is not on
// the network. The only allowed name is localhost: looking up another one would contact a server.
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

// ErrOffline matches every refusal.
var ErrOffline = errors.New("not fetched, because of -offline")

// Error is a connection that was refused.
type Error struct {
	// Address is a host, with its port if known.
	Address string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s is not on this machine, so -offline does not allow it; omit -offline", e.Address)
}

// Is reports that it is an [ErrOffline].
func (e *Error) Is(target error) bool { return target == ErrOffline }

// Check returns an [*Error] for a host, a host with its port, or a URL that is not on this
// machine.
func Check(address string) error {
	host := address
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		u, err := url.Parse(address)
		if scheme == "unix" || scheme == "npipe" || scheme == "fd" || scheme == "file" {
			return nil
		}
		if err == nil { // otherwise the whole address is not a host of this machine
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

// DialContext connects to this machine, and returns an [*Error] for any other. It asks no name
// server: localhost is 127.0.0.1 and ::1 (RFC 6761, section 6.3).
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

// Transport returns http.DefaultTransport with DialContext, and without a proxy: one on this
// machine would contact others.
func Transport() *http.Transport {
	t := &http.Transport{}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		t = standard.Clone()
	}
	t.Proxy, t.DialContext = nil, DialContext
	return t
}

// Process blocks the default transport and the resolver of this process, for libraries that
// accept no transport. It is for programs that do only one run, and cannot be undone.
func Process() {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t.Proxy, t.DialContext = nil, DialContext
	}
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = DialContext
}
