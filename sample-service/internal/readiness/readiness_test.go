package readiness

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
)

func fixed(name string, err error) Check {
	return Check{Name: name, Ping: func(context.Context) error { return err }}
}

func TestReport(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, c := range map[string]struct {
		checks []Check
		ready  bool
		want   map[string]string
	}{
		"nothing to ask": {nil, true, nil},
		"all well":       {[]Check{fixed("a", nil), fixed("b", nil)}, true, map[string]string{"a": "ok", "b": "ok"}},
		"one is down":    {[]Check{fixed("a", nil), fixed("b", errors.New("down"))}, false, map[string]string{"a": "ok", "b": "failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			gate := New(log, c.checks...)
			got := gate.Report(t.Context())
			if got.Ready != c.ready || got.Draining || !maps.Equal(got.Checks, c.want) {
				t.Errorf("got %+v", got)
			}
			gate.Drain()
			if got := gate.Report(t.Context()); got.Ready || !got.Draining {
				t.Errorf("draining: got %+v", got)
			}
		})
	}
}

func TestRedis(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() { answerPings(t, listen, &server) })
	defer server.Wait()
	defer closeOrFail(t, listen)
	check, closeRedis, err := Redis("redis://"+listen.Addr().String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := closeRedis(); err != nil {
			t.Error(err)
		}
	}()
	if err := check.Ping(t.Context()); err != nil {
		t.Errorf("server is up: %v", err)
	}
}

// answerPings is as much of a Redis server as a Ping asks for. It refuses the
// greetings that an old server does not know.
func answerPings(t *testing.T, listen net.Listener, server *sync.WaitGroup) {
	for {
		conn, err := listen.Accept()
		if err != nil {
			return // closed
		}
		server.Go(func() {
			defer closeOrFail(t, conn)
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				var reply string
				switch strings.ToUpper(lines.Text()) {
				case "PING":
					reply = "+PONG\r\n"
				case "HELLO", "CLIENT":
					reply = "-ERR unknown command\r\n"
				default:
					continue // lengths and arguments
				}
				if _, err := io.WriteString(conn, reply); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

func closeOrFail(t *testing.T, c io.Closer) {
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestRedisDown(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listen.Close(); err != nil {
		t.Fatal(err)
	}
	check, closeRedis, err := Redis("redis://"+listen.Addr().String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Ping(t.Context()); err == nil {
		t.Error("server is down: no error")
	}
	if err := closeRedis(); err != nil {
		t.Error(err)
	}
}

func TestRedisURLIsNotTold(t *testing.T) {
	_, _, err := Redis("redis://user:secret@host:port", slog.New(slog.DiscardHandler))
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
