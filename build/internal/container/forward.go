package container

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Front are the ports of this machine that reach a container, or containers that follow each
// other: then Front passes connections on from these ports to others, so that the next container
// can start while the old one still runs.
type Front struct {
	ports []Port
	// listeners are those of ports; empty if the container publishes ports itself. to are the
	// ports of the present container, in the order of ports.
	listeners []net.Listener
	to        atomic.Pointer[[]Port]

	end     context.Context
	cancel  context.CancelFunc
	serving sync.WaitGroup
}

// Publish returns the ports for one container or, with several, for containers that follow each
// other. It returns an error if another program uses one. The caller must call Close.
func Publish(ports []Port, several bool) (*Front, error) {
	f := &Front{ports: ports}
	f.end, f.cancel = context.WithCancel(context.Background())
	others := slices.ContainsFunc(ports, func(p Port) bool { return p.Protocol != "tcp" })
	for i, p := range ports {
		if !several || others {
			if err := p.checkFree(); err != nil {
				f.Close()
				return nil, err
			}
			continue
		}
		l, err := net.Listen("tcp", p.address())
		if err != nil {
			f.Close()
			return nil, p.explain(err)
		}
		f.listeners = append(f.listeners, l)
		f.serving.Go(func() { f.accept(l, i) })
	}
	return f, nil
}

// Ports returns the ports of this machine.
func (f *Front) Ports() []Port { return f.ports }

// Create is [Create] for a container that is reached through these ports.
func (f *Front) Create(ctx context.Context, e Engine, s Spec) (*Container, error) {
	s.Ports = slices.Clone(f.ports)
	for i := range f.listeners {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all are taken until the last is found
		s.Ports[i].Host = l.Addr().(*net.TCPAddr).AddrPort().Port()
	}
	return Create(ctx, e, s)
}

// Start starts a container, waits until it runs, and passes connections on to it.
func (f *Front) Start(c *Container, stdout, stderr io.Writer) {
	c.Start(stdout, stderr)
	c.Running()
	f.to.Store(&c.ports)
}

// Replace starts a container in place of another, and removes that one. If it can, it stops the
// old one only when the new one runs.
func (f *Front) Replace(old, c *Container, grace time.Duration, stdout, stderr io.Writer) error {
	if len(f.listeners) == 0 && len(f.ports) > 0 {
		_ = old.Stop(grace) // how the old one ends does not matter
		f.Start(c, stdout, stderr)
	} else {
		f.Start(c, stdout, stderr)
		_ = old.Stop(grace)
	}
	return old.Remove()
}

// Close gives the ports back, and ends all connections.
func (f *Front) Close() {
	f.cancel()
	for _, l := range f.listeners {
		l.Close() // accept ends
	}
	f.serving.Wait()
}

func (f *Front) accept(l net.Listener, i int) {
	for {
		conn, err := l.Accept()
		if f.end.Err() != nil {
			if err == nil {
				conn.Close() // nothing was written
			}
			return
		}
		if err != nil { // the peer has gone, or there are too many open files
			time.Sleep(10 * time.Millisecond)
			continue
		}
		f.serving.Go(func() { f.pass(conn, i) })
	}
}

// pass passes a connection on, and returns when both sides have ended it.
func (f *Front) pass(from net.Conn, i int) {
	defer from.Close() // everything was copied, or cannot be
	ports := f.to.Load()
	if ports == nil {
		return
	}
	to, err := (&net.Dialer{}).DialContext(f.end, "tcp", (*ports)[i].address())
	if err != nil {
		return
	}
	defer to.Close()
	defer context.AfterFunc(f.end, func() {
		from.Close()
		to.Close()
	})()
	var copying sync.WaitGroup
	copying.Go(func() { half(to, from) })
	half(from, to)
	copying.Wait()
}

// half copies one direction of a connection, and its end.
func half(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok && err == nil {
		err = tcp.CloseWrite()
	}
	if err != nil { // the other direction ends too
		to.Close()
		from.Close()
	}
}

func (p Port) address() string { return net.JoinHostPort(loopback, strconv.Itoa(int(p.Host))) }
