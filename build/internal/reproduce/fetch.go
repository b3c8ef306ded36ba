package reproduce

import (
	"context"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// clone downloads the source, and copies it to the folder in which it is built. It refuses
// links in the copy through which the build would write outside of it.
func (r *Room) clone(ctx context.Context, s *session.Session) error {
	return s.Stage("fetch the source", func() (string, error) {
		from := r.source.From
		if strings.Contains(from, "://") {
			if err := s.Reach("fetch the source "+from, from); err != nil {
				return "", err
			}
		}
		in := git.CloneInput{
			From: from, To: r.fetched(), Commit: r.source.Commit, Shallow: r.source.Shallow,
			Origin: r.source.Origin,
			Env:    slices.Concat(s.Env, s.ForModules()), Stranger: r.source.stranger(),
			AnySubmodules: r.source.stranger() && r.source.AnySubmodules,
		}
		if err := git.Clone(ctx, in); err != nil {
			return "", fmt.Errorf("%w; %s", err, r.source.Elsewhere)
		}
		in.From, in.To, in.Shallow, in.Copy = r.fetched(), r.tree(), false, true
		if err := git.Clone(ctx, in); err != nil {
			return "", err
		}
		return "", inside(r.tree(), r.source)
	})
}

// Fetch downloads what a build of this repository needs. resolve lists what is compiled, as the
// user, so that the go command downloads the toolchain and the modules with the user's settings
// and credentials.
func (r *Room) Fetch(ctx context.Context, s *session.Session,
	resolve func(context.Context, Job) error) (*gocmd.Go, error) {
	return r.fetchStage(s, func() (*gocmd.Go, error) {
		module := r.source.module(r.fetched())
		user, err := gocmd.Read(ctx, filepath.Dir(r.dir), withoutSettings(s.Env), s.ForModules()...)
		if err != nil {
			return nil, err
		}
		env := slices.Concat(user.Environment(), user.CEnvironment(), r.source.settings(s, module))
		fetching := slices.Concat(user.ForFetching(), s.ForModules())
		g, err := gocmd.Read(ctx, module, env, fetching...)
		if err != nil {
			return nil, noToolchain(err)
		}
		cfg := r.source.Config
		cfg.ModuleEnv = s.Config.ModuleEnv
		return g, resolve(ctx, Job{
			Config: cfg, Workdir: r.source.workdir(r.fetched()), Env: append(env, fetching...),
			Cache:     filepath.Join(r.dir, "cache", "fetch"),
			Platforms: r.source.Platforms, Offline: s.Offline,
		})
	})
}

// FetchPlanned downloads what a build of foreign source needs, without building or listing any
// of it: toolchain, modules and bases. The go command runs with the user's settings. bases
// downloads what the plan's bases are made of into the session's cache folder, which is that of
// the clean room.
func (r *Room) FetchPlanned(ctx context.Context, s *session.Session,
	bases func(context.Context, *session.Session, *plan.Plan) error) (*gocmd.Go, error) {
	toolchain := r.source.Plan.Toolchain
	return r.fetchStage(s, func() (*gocmd.Go, error) {
		user, err := gocmd.Read(ctx, r.dir, withoutSettings(s.Env), s.ForModules()...)
		if err != nil {
			return nil, err
		}
		own := slices.Concat(user.Environment(), user.CEnvironment())
		fetching := slices.Concat(user.ForFetching(), s.ForModules())
		g, err := gocmd.Read(ctx, r.dir, append(slices.Clone(own), "GOTOOLCHAIN="+toolchain.Version,
			"GOWORK=off"), fetching...)
		if err != nil {
			return nil, noToolchain(err)
		}
		if toolchain.Mod != "vendor" {
			module := r.source.module(r.fetched())
			env := slices.Concat(own, fetching, r.source.settings(s, module))
			if version.Compare(user.Version, g.Version) > 0 {
				env = append(env, "GOTOOLCHAIN="+user.Version) // the newer version has fewer known faults
			}
			if fetcher, err := gocmd.Read(ctx, module, env); err != nil {
				return nil, err
			} else if err := process.Run(ctx, fetcher.User("mod", "download")); err != nil {
				return nil, fmt.Errorf("fetch the modules: %w", err)
			}
		}
		return g, bases(ctx, s.WithConfig(r.source.Config).WithCache(r.cacheFolder()), r.source.Plan)
	})
}

// fetchStage runs fetch as a stage, after which the first clone is not needed any more.
func (r *Room) fetchStage(s *session.Session, fetch func() (*gocmd.Go, error)) (g *gocmd.Go, err error) {
	err = s.Stage("fetch toolchain and modules", func() (string, error) {
		if g, err = fetch(); err != nil {
			return "", err
		}
		return g.Version, os.RemoveAll(r.fetched())
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

func noToolchain(err error) error {
	return fmt.Errorf(
		"%w; the go command takes toolchains from GOPROXY, and checks them with GOSUMDB: neither may be "+
			"off, or give it the toolchain in PATH", err)
}

// withoutSettings returns the user's environment without thimble's and Go's settings for the
// build. It keeps those that say where modules come from.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GOFLAGS", "GOTOOLCHAIN", "GOEXPERIMENT", "GOFIPS140", "GOWORK", "GOOS", "GOARCH",
			"GOAMD64", "GOARM", "GOARM64",
			"GO386", "GOPPC64", "GORISCV64", "CGO_ENABLED":
			return true
		}
		return strings.HasPrefix(name, "THIMBLE_")
	})
}
