// Package session contains the settings, environment, folders, secrets and progress of one call
// of thimble. [Open] returns a complete Session with all defaults, which never changes
// afterwards. A stage that needs another environment or configuration makes a copy (WithEnv,
// WithConfig). The package contains no results of stages, and starts nothing.
package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/cgroup"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/plan"
)

// Settings are the options of a call. The zero value means the defaults.
type Settings struct {
	Config plan.Config
	// Workdir is the repository's root; the current folder if empty.
	Workdir string
	// Env is the environment; this process's if nil.
	Env []string
	// Cache is the cache folder; thimble's folder in os.UserCacheDir if empty.
	Cache string
	// Platforms are the platforms to build for; "all" alone means those of Config.
	Platforms []string
	// Offline forbids connections to other machines.
	Offline bool
	// Password returns the signing key's password; nil if there is no user to ask.
	Password func() ([]byte, error)
	// Login shows how to log in for a keyless signature; nil if there is no user.
	Login func(message string)
	// Progress may be nil.
	Progress Progress
	// Memory is the memory limit in bytes, 0 for none. If nil, this process reads its limit.
	Memory *int64
	// Heap raises the limit of the Go heap to this many bytes; it may be nil.
	Heap func(bytes int64)
	// Registries changes how registries are reached, for tests; it may be nil.
	Registries func(*distribution.Options)
}

// Progress receives what a run does, from several goroutines at once.
type Progress interface {
	// Start is called when a task begins; the returned function is called once when it ends.
	Start(task string) (end func(outcome string, err error))
	// Notice is called with information for the user that stops nothing.
	Notice(text string)
}

// Session is the complete settings of a call.
type Session struct {
	// Config includes the settings of the environment. Its Dist and Platforms are not empty.
	Config plan.Config
	// Workdir, Dist and Cache are absolute paths.
	Workdir, Dist, Cache string
	// Env is the environment without secrets, for child processes.
	Env []string
	// Secrets are the variables removed from Env, which no child process may see.
	Secrets []string
	// Platforms are the platforms to build for; if empty, the default of the verb.
	Platforms []string
	// Offline forbids connections to other machines.
	Offline bool
	// Login shows how to log in for a keyless signature; nil if there is no user.
	Login func(message string)
	// Progress is never nil.
	Progress Progress
	// Notices are messages for the user about the settings, sorted.
	Notices []string

	// Registries changes how registries are reached, for tests; it may be nil.
	Registries func(*distribution.Options)

	password func() ([]byte, error)
	memory   *int64
	heap     func(bytes int64)
	client   *http.Client
}

// Open applies every default and the settings in this order: Config, environment, flags; later
// ones override earlier ones. If Offline needs it, it asks the go command for GOPROXY. It
// returns an error for an invalid setting.
func Open(ctx context.Context, in Settings) (*Session, error) {
	s := &Session{
		Config: in.Config, Workdir: in.Workdir, Cache: in.Cache, Env: in.Env, Platforms: in.Platforms,
		Offline: in.Offline,
		Login:   in.Login, Progress: in.Progress, Registries: in.Registries, password: in.Password,
		memory: in.Memory, heap: in.Heap,
	}
	if s.Env == nil {
		s.Env = os.Environ()
	}
	var err error
	if s.Workdir, err = filepath.Abs(s.Workdir); err != nil {
		return nil, fmt.Errorf("find the working folder: %w", err)
	}
	if s.Workdir, err = filepath.EvalSymlinks(s.Workdir); err != nil {
		return nil, fmt.Errorf("find the working folder: %w", err)
	}
	if s.Cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache folder: %w", err)
		}
		s.Cache = filepath.Join(dir, "thimble")
	}
	if s.Progress == nil {
		s.Progress = silent{}
	}
	if err := s.applyEnvironment(); err != nil {
		return nil, err
	}
	s.hideSecrets()
	s.client = s.newClient()
	s.closeNetwork(ctx)
	slices.Sort(s.Notices)
	cfg := &s.Config
	for _, dir := range []string{cfg.Dir, cfg.Dist} {
		if dir != "" && !filepath.IsLocal(filepath.FromSlash(dir)) {
			return nil, fmt.Errorf(
				"folder %q of Config is not below the working folder; give its path relative to the "+
					"repository's root", dir)
		}
	}
	if cfg.Dist == "" {
		cfg.Dist = "dist"
	}
	if filepath.Clean(cfg.Dist) == "." {
		return nil, fmt.Errorf(
			"folder %q of Config.Dist would replace the working folder; choose another folder", cfg.Dist)
	}
	s.Dist = filepath.Join(s.Workdir, filepath.FromSlash(cfg.Dist))
	if len(cfg.Platforms) == 0 {
		cfg.Platforms = []string{"linux/amd64", "linux/arm64"}
	}
	if slices.Equal(s.Platforms, []string{"all"}) {
		s.Platforms = cfg.Platforms
	}
	return s, nil
}

// WithEnv returns a copy with another environment for child processes.
func (s *Session) WithEnv(env []string) *Session {
	c := *s
	c.Env = env
	return &c
}

// WithConfig returns a copy with another configuration, with its defaults applied.
func (s *Session) WithConfig(cfg plan.Config) *Session {
	c := *s
	c.Config = cfg
	return &c
}

// WithCache returns a copy with another cache folder.
func (s *Session) WithCache(dir string) *Session {
	c := *s
	c.Cache = dir
	return &c
}

// WithProgress returns a copy that reports its progress to p.
func (s *Session) WithProgress(p Progress) *Session {
	c := *s
	c.Progress = p
	return &c
}

// ModuleDir returns the absolute path of the service's module.
func (s *Session) ModuleDir() string {
	return filepath.Join(s.Workdir, filepath.FromSlash(s.Config.Dir))
}

// Path makes a path of Config or of a flag absolute; it returns "" for "".
func (s *Session) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Workdir, filepath.FromSlash(path))
}

// LookupEnv is like os.LookupEnv, for the session's environment and its secrets.
func (s *Session) LookupEnv(name string) (string, bool) {
	for _, env := range [][]string{s.Secrets, s.Env} {
		for _, e := range slices.Backward(env) { // the last one is used
			if n, value, ok := strings.Cut(e, "="); ok && n == name {
				return value, true
			}
		}
	}
	return "", false
}

// Password returns the password of the signing key: COSIGN_PASSWORD, or the result of
// Settings.Password.
func (s *Session) Password() ([]byte, error) {
	if p, ok := s.LookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(p), nil
	}
	if s.password != nil {
		return s.password()
	}
	return nil, errors.New("the key has a password; set COSIGN_PASSWORD")
}

// Confines reports whether tests and commands of Before are prevented from reading other
// processes. This is so if there is a signing secret, because the parent shell may have it in
// its environment.
func (s *Session) Confines() bool {
	return !s.Config.Test.Privileged && slices.ContainsFunc(s.Secrets, func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return value != "" && secret.Signs(name, value)
	})
}

// ForModules returns the secrets for downloading modules and sources.
func (s *Session) ForModules() []string {
	named := secret.Select(s.Secrets, s.Config.ModuleEnv)
	for _, e := range s.Secrets {
		if name, _, _ := strings.Cut(e, "="); secret.IsWire(name) && !s.Offline {
			named = append(named, e)
		}
	}
	return named
}

// MemoryLimit returns Settings.Memory or the limit of the control group in bytes, 0 for none.
func (s *Session) MemoryLimit() (int64, error) {
	if s.memory != nil {
		return *s.memory, nil
	}
	return cgroup.MemoryLimit(os.DirFS("/"))
}

// NeedHeap says that the next work needs a Go heap of this many bytes, more than usual.
func (s *Session) NeedHeap(bytes int64) {
	if s.heap != nil {
		s.heap(bytes)
	}
}

// Stage runs one stage and reports its progress. f returns a short description of the outcome.
func (s *Session) Stage(name string, f func() (outcome string, err error)) error {
	end := s.Progress.Start(name)
	outcome, err := f()
	end(outcome, err)
	return err
}

type silent struct{}

func (silent) Start(string) func(string, error) { return func(string, error) {} }
func (silent) Notice(string)                    {}
