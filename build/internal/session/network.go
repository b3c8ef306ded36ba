package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/missingembed"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/secret"
)

// closeNetwork gives children an environment without a network if Offline is set. Connections
// of this process call Reach first, or dial with package offline.
func (s *Session) closeNetwork(ctx context.Context) {
	if !s.Offline {
		return
	}
	proxy, ok := s.LookupEnv("GOPROXY")
	if !ok {
		// It may come from `go env -w`. At the root of the file system no module can require
		// another toolchain.
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		var err error
		if proxy, err = gocmd.Proxy(ctx, s.Env); err != nil {
			proxy = "off" // the first stage that needs the go command reports its error
		}
	}
	if program, _ := s.LookupEnv("GOCACHEPROG"); program != "" {
		s.Notices = append(s.Notices,
			"GOCACHEPROG is not used with -offline: its cache may be on another machine")
	}
	s.Env = offline.Env(s.Env, secret.Bare("GOPROXY", proxy))
}

// Reach returns an error that wraps offline.ErrOffline if connections to address, a host or a
// URL, are not allowed. The error begins with doing, the purpose of the connection.
func (s *Session) Reach(doing, address string) error {
	if !s.Offline {
		return nil
	}
	if err := offline.Check(address); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Proxy returns the proxy of a request by HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the session's
// environment, as [http.ProxyFromEnvironment] does by the environment of the process. It is nil if
// Offline is set: a proxy on this machine would contact others.
func (s *Session) Proxy() func(*http.Request) (*url.URL, error) {
	if s.Offline {
		return nil
	}
	variable := func(names ...string) string {
		for _, name := range names {
			if value, _ := s.LookupEnv(name); value != "" {
				return value
			}
		}
		return ""
	}
	proxy := (&httpproxy.Config{
		HTTPProxy: variable("http_proxy", "HTTP_PROXY"), HTTPSProxy: variable("https_proxy", "HTTPS_PROXY"),
		NoProxy: variable("no_proxy", "NO_PROXY"), CGI: variable("REQUEST_METHOD") != "",
	}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
}

// Client returns the HTTP client for all requests that do not use package store.
func (s *Session) Client() *http.Client { return s.client }

func (s *Session) newClient() *http.Client {
	if s.Offline {
		return &http.Client{Transport: offline.Transport()}
	}
	t := &http.Transport{}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		t = standard.Clone()
	}
	t.Proxy = s.Proxy()
	return &http.Client{Transport: t}
}

var missingToolchain = regexp.MustCompile(
	`download (go1[^\s:]*)[^:\n]*: (?:toolchain not available|.*GOPROXY=off)`)

// Unfetched adds to an error what the go command g lacks, if that is the cause: embedded files
// that Config.Before should make and, in a run with Offline, modules and the toolchain that would
// have been downloaded. g may be nil.
func (s *Session) Unfetched(g *gocmd.Go, err error) error {
	err = missingembed.Explain(err, s.ModuleDir(), s.Config.Before)
	if err == nil || !s.Offline || errors.Is(err, offline.ErrOffline) {
		return err
	}
	text := err.Error()
	if m := missingToolchain.FindStringSubmatch(text); m != nil {
		return fmt.Errorf(
			"%w: the Go toolchain %s; run \"go version\" in the module's folder with a network, or omit "+
				"-offline", offline.ErrOffline, m[1])
	}
	if !strings.Contains(text, "GOPROXY=off") && !strings.Contains(text, "proxyconnect") {
		return err
	}
	if g == nil {
		return fmt.Errorf("%w: %w", offline.ErrOffline, err)
	}
	modules, missingErr := g.Missing()
	if missingErr != nil || len(modules) == 0 {
		return fmt.Errorf("%w: %w", offline.ErrOffline, err)
	}
	const most = 20
	list := strings.Join(modules[:min(len(modules), most)], ", ")
	if n := len(modules) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf(
		"%w: %s: %s; run \"go mod download\" in the module's folder with a network, or omit -offline",
		offline.ErrOffline, progress.Count(len(modules), "module"), list)
}
