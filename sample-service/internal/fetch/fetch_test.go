package fetch

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

var allowed = Options{Timeout: 5 * time.Second, MaxBytes: 1000, AllowPrivate: true}

func client(t *testing.T, opts Options) *Client {
	t.Helper()
	c := New(opts)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func write(t *testing.T, w io.Writer, s string) {
	if _, err := io.WriteString(w, s); err != nil {
		t.Log(err) // a client may stop reading
	}
}

func TestGet(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusFound)
			return
		}
		if ref := r.Referer(); ref != "" {
			t.Errorf("Referer is %q", ref)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTeapot)
		write(t, w, "hello")
	})
	got, err := client(t, allowed).Get(t.Context(), s.URL+"/old?secret=1")
	if err != nil {
		t.Fatal(err)
	}
	want := Result{
		Status: http.StatusTeapot, Proto: "HTTP/1.1", ContentType: "text/plain", Bytes: 5, Redirects: 1,
		SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestBadURL(t *testing.T) {
	for _, rawURL := range []string{
		"", "example.com", "/path", "file:///etc/passwd", "ftp://example.com/", "http://", "http:///path",
		"http://:80/", "https://user:secret@example.com/", "http:opaque", "http://example.com:port/", "http://a b/",
	} {
		_, err := client(t, allowed).Get(t.Context(), rawURL)
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: got %v", rawURL, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error tells a secret: %v", err)
		}
	}
}

func TestRedirectToBadURL(t *testing.T) {
	for _, target := range []string{"file:///etc/passwd", "http://user:secret@example.com/"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		if _, err := client(t, allowed).Get(t.Context(), s.URL); !errors.Is(err, ErrURL) {
			t.Errorf("%s: got %v", target, err)
		}
	}
}

func TestTooManyRedirects(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	if _, err := client(t, allowed).Get(t.Context(), s.URL); err == nil || !strings.Contains(err.Error(), "redirects") {
		t.Errorf("got %v", err)
	}
}

func TestPrivateIsRefused(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was reached") })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	opts := allowed
	opts.AllowPrivate = false
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"} {
		_, err := client(t, opts).Get(t.Context(), "http://"+host+":"+port+"/?secret=1")
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v", host, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("error tells a secret: %v", err)
		}
	}
}

// A public server cannot be had in a test, so one private address is taken for
// public, and what it redirects to is not.
func TestRedirectToPrivateIsRefused(t *testing.T) {
	inside := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was reached") })
	outside := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) })
	c := client(t, allowed)
	dialer := &net.Dialer{Control: func(network, address string, raw syscall.RawConn) error {
		if address == outside.Listener.Addr().String() {
			return nil
		}
		return refusePrivate(network, address, raw)
	}}
	c.transport.DialContext = dialer.DialContext
	if _, err := c.Get(t.Context(), outside.URL); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestProxyIsNotUsed(t *testing.T) {
	if client(t, allowed).transport.Proxy != nil {
		t.Error("a proxy would connect where the guard cannot see")
	}
}

func TestTooLarge(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { write(t, w, strings.Repeat("x", 1001)) },
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			write(t, z, strings.Repeat("x", 1<<20))
			if err := z.Close(); err != nil {
				t.Log(err)
			}
		},
	} {
		if _, err := client(t, allowed).Get(t.Context(), serve(t, h).URL); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	exact := serve(t, func(w http.ResponseWriter, _ *http.Request) { write(t, w, strings.Repeat("x", 1000)) })
	if _, err := client(t, allowed).Get(t.Context(), exact.URL); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	opts := allowed
	opts.Timeout = 50 * time.Millisecond
	for name, h := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no end": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-r.Context().Done()
		},
	} {
		if _, err := client(t, opts).Get(t.Context(), serve(t, h).URL); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(t, w, "hello") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it reports the failed handshake
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	_, err := client(t, allowed).Get(t.Context(), s.URL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("unknown authority: got %v", err)
	}

	c := client(t, allowed)
	c.transport.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	got, err := c.Get(t.Context(), s.URL)
	if err != nil || got.Bytes != 5 || got.Proto != "HTTP/2.0" {
		t.Errorf("known authority: got %+v, %v", got, err)
	}
}
