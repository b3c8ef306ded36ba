package build

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
	"github.com/thimble-build/thimble/build/internal/publish"
)

// ErrOffline is the error of a run with Options.Offline that needs something from
// another machine.
var ErrOffline = offline.ErrOffline

// closeNetwork gives children an environment without a network, where Offline asks for
// it. Our own connections ask reach, or dial with package offline.
func (s *settled) closeNetwork() {
	if !s.Offline {
		return
	}
	proxy, ok := s.lookupEnv("GOPROXY")
	if !ok {
		// It may come from `go env -w`. At the root of the file system there is no module
		// that could ask for another toolchain.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var err error
		if proxy, err = gocmd.Proxy(ctx, s.Env); err != nil {
			proxy = "off" // the first stage that needs the go command says what is wrong with it
		}
	}
	if program, _ := s.lookupEnv("GOCACHEPROG"); program != "" {
		s.notices = append(s.notices, "GOCACHEPROG is not used with -offline: nobody knows where it keeps its cache")
	}
	s.Env = offline.Env(s.Env, proxy)
}

// reach says whether a host, or a URL, may be connected to: what is to be done there is
// part of the error.
func (s *settled) reach(doing, address string) error {
	if !s.Offline {
		return nil
	}
	if err := offline.Check(address); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// client makes the requests that have no client of their own: every fetch of this
// package goes through it, or through openRepository.
func (s *settled) client() *http.Client {
	if s.Offline {
		return &http.Client{Transport: offline.Transport()}
	}
	return http.DefaultClient
}

// reachServices asks for everything that signing would connect to.
func (s *settled) reachServices() error {
	cfg := s.Config.Release
	var errs []error
	// Keys are in files and variables, or in a key management service.
	if scheme, _, ok := strings.Cut(cfg.Key, "://"); ok && scheme != "env" && scheme != "file" {
		errs = append(errs, s.reach("sign with "+cfg.Key, cfg.Key))
	}
	if k := cfg.Keyless; k != nil && cfg.Key == "" {
		errs = append(errs, s.reach("get a certificate", k.Fulcio))
		if address, _ := s.lookupEnv("ACTIONS_ID_TOKEN_REQUEST_URL"); address != "" && k.TokenFile == "" {
			errs = append(errs, s.reach("ask GitHub for an identity token", address))
		}
	}
	for _, l := range cfg.Logs {
		errs = append(errs, s.reach("log signatures", l.URL))
	}
	for _, url := range cfg.TimestampAuthorities {
		errs = append(errs, s.reach("get timestamps", url))
	}
	return errors.Join(errs...)
}

// findEngine finds the container engine that answers.
func (s *settled) findEngine(ctx context.Context) (publish.Engine, error) {
	if s.Offline {
		hosts, err := publish.EngineHosts(ctx, s.Env)
		if err != nil {
			return publish.Engine{}, err
		}
		for _, host := range hosts {
			if err := s.reach("find a container engine", host); err != nil {
				return publish.Engine{}, err
			}
		}
	}
	return publish.FindEngine(ctx, "", s.Env)
}

var missingToolchain = regexp.MustCompile(`download (go1[^\s:]*)[^:\n]*: (?:toolchain not available|.*GOPROXY=off)`)

// unfetched turns an error of a run with Offline into what would have been fetched, if
// that is why: the modules and the toolchain that the go command lacks.
func (r *run) unfetched(err error) error {
	if err == nil || !r.Offline || errors.Is(err, ErrOffline) {
		return err
	}
	text := err.Error()
	if m := missingToolchain.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%w: the Go toolchain %s; run \"go version\" in the module's folder with a network, or leave -offline out", ErrOffline, m[1])
	}
	if !strings.Contains(text, "GOPROXY=off") && !strings.Contains(text, "proxyconnect") {
		return err
	}
	if r.resolved == nil {
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	modules, missingErr := r.resolved.Go.Missing()
	if missingErr != nil || len(modules) == 0 {
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	const most = 20
	list := strings.Join(modules[:min(len(modules), most)], ", ")
	if n := len(modules) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%w: %s: %s; run \"go mod download\" in the module's folder with a network, or leave -offline out",
		ErrOffline, count(len(modules), "module"), list)
}
