package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/secret"
)

// closeNetwork gives children an environment without a network, where Offline asks for
// it. Our own connections ask Reach, or dial with package offline.
func (s *Session) closeNetwork(ctx context.Context) {
	if !s.Offline {
		return
	}
	proxy, ok := s.LookupEnv("GOPROXY")
	if !ok {
		// It may come from `go env -w`. At the root of the file system there is no module
		// that could ask for another toolchain.
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		var err error
		if proxy, err = gocmd.Proxy(ctx, s.Env); err != nil {
			proxy = "off" // the first stage that needs the go command says what is wrong with it
		}
	}
	if program, _ := s.LookupEnv("GOCACHEPROG"); program != "" {
		s.Notices = append(s.Notices, "GOCACHEPROG is not used with -offline: nobody knows where it keeps its cache")
	}
	s.Env = offline.Env(s.Env, secret.Bare("GOPROXY", proxy))
}

// Reach returns an error that wraps offline.ErrOffline where a host, or a URL, may not be
// connected to. The error begins with doing, what was to be done there.
func (s *Session) Reach(doing, address string) error {
	if !s.Offline {
		return nil
	}
	if err := offline.Check(address); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Client makes the requests that have no client of their own: every fetch goes through it,
// or through package store.
func (s *Session) Client() *http.Client {
	if s.Offline {
		return &http.Client{Transport: offline.Transport()}
	}
	return http.DefaultClient
}

var missingToolchain = regexp.MustCompile(`download (go1[^\s:]*)[^:\n]*: (?:toolchain not available|.*GOPROXY=off)`)

// Unfetched turns an error of a run with Offline into what would have been fetched, if
// that is why: the modules and the toolchain that the go command g, which may be nil, lacks.
func (s *Session) Unfetched(g *gocmd.Go, err error) error {
	if err == nil || !s.Offline || errors.Is(err, offline.ErrOffline) {
		return err
	}
	text := err.Error()
	if m := missingToolchain.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%w: the Go toolchain %s; run \"go version\" in the module's folder with a network, or leave -offline out", offline.ErrOffline, m[1])
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
	return fmt.Errorf("%w: %s: %s; run \"go mod download\" in the module's folder with a network, or leave -offline out",
		offline.ErrOffline, progress.Count(len(modules), "module"), list)
}
