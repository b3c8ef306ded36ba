package session_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Config, then the environment, then flags; the later wins.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	s, err := session.Open(t.Context(), session.Settings{
		Config: plan.Config{Dir: "service", Repository: "ghcr.io/acme"}, Workdir: dir, Cache: filepath.Join(dir, "cache"),
		Env: []string{
			"THIMBLE_REPOSITORY=ghcr.io/other", "THIMBLE_PLATFORMS=linux/amd64,linux/arm/v7", "THIMBLE_OFLINE=1",
			"COSIGN_PASSWORD=secret", "TOKEN_FILE=/run/token", "A=1", "A=2",
		},
		Platforms: []string{"all"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Config.Repository != "ghcr.io/other" || !slices.Equal(s.Platforms, []string{"linux/amd64", "linux/arm/v7"}) {
		t.Errorf("the repository is %s, the platforms are %q", s.Config.Repository, s.Platforms)
	}
	if s.Config.Dist != "dist" || s.Dist != filepath.Join(s.Workdir, "dist") || s.ModuleDir() != filepath.Join(s.Workdir, "service") {
		t.Errorf("the folders are %s, %s and %s", s.Config.Dist, s.Dist, s.ModuleDir())
	}
	if !slices.Equal(s.Notices, []string{"THIMBLE_OFLINE is not a setting of thimble"}) {
		t.Errorf("the notices are %q", s.Notices)
	}
	if strings.Contains(strings.Join(s.Env, " "), "secret") {
		t.Errorf("children see %q", s.Env)
	}
	if password, err := s.Password(); string(password) != "secret" || err != nil {
		t.Errorf("the password is %q, %v", password, err)
	}
	if a, _ := s.LookupEnv("A"); a != "2" {
		t.Errorf("A is %q", a)
	}
	if s.Path("a/b") != filepath.Join(s.Workdir, "a", "b") || s.Path("") != "" || s.Path(dir) != dir {
		t.Error("paths are not made absolute")
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		settings session.Settings
		want     string
	}{
		"a folder above":       {session.Settings{Config: plan.Config{Dir: "../x"}}, "not below the working folder"},
		"dist is the root":     {session.Settings{Config: plan.Config{Dist: "./"}}, "would replace the working folder"},
		"an unknown format":    {session.Settings{Env: []string{"THIMBLE_COMPRESSION=xz"}}, "use gzip or zstd"},
		"offline, or perhaps":  {session.Settings{Env: []string{"THIMBLE_OFFLINE=maybe"}}, "use true or false"},
		"no folder to work in": {session.Settings{Workdir: filepath.Join(t.TempDir(), "none")}, "find the working folder"},
	} {
		t.Run(name, func(t *testing.T) {
			test.settings.Cache = t.TempDir()
			if _, err := session.Open(t.Context(), test.settings); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// A copy differs in one thing, and the first stays as it was.
func TestCopies(t *testing.T) {
	s, err := session.Open(t.Context(), session.Settings{Cache: t.TempDir(), Env: []string{"A=1"}})
	if err != nil {
		t.Fatal(err)
	}
	other := s.WithEnv([]string{"B=1"}).WithCache("/other").WithConfig(plan.Config{Dir: "service"})
	if other.Env[0] != "B=1" || other.Cache != "/other" || other.Config.Dir != "service" {
		t.Errorf("the copy is %+v", other)
	}
	if s.Env[0] != "A=1" || s.Cache == "/other" || s.Config.Dir != "" {
		t.Errorf("the first is now %+v", s)
	}
}

func TestOfflineReachesNothing(t *testing.T) {
	s, err := session.Open(t.Context(), session.Settings{Cache: t.TempDir(), Env: []string{"GOPROXY=off"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reach("push", "registry.example.com"); !errors.Is(err, offline.ErrOffline) || !strings.HasPrefix(err.Error(), "push: ") {
		t.Errorf("the error is %v", err)
	}
	if err := s.Reach("push", "localhost:5000"); err != nil {
		t.Errorf("loopback: %v", err)
	}
	if _, err := s.Client().Get("http://registry.example.com"); !errors.Is(err, offline.ErrOffline) {
		t.Errorf("the client's error is %v", err)
	}
}
