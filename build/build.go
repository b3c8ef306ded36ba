// Package build is thimble's public API, and the only package that knows the
// order of the stages:
//
//	Config ─▶ resolve ─▶ Plan ─▶ for each image and platform
//	                               compile ─▶ needs ─▶ tree ─▶ image
//	                         ─▶ index ─▶ describe ─▶ publish ─▶ manifest
//
// Most callers need Image, which does all of it and returns a Result; Binaries
// stops after the compiler, Plan before it. The Mage targets in build/targets are
// thin: flags in, one call of this package, output out.
//
// A run writes to Config.Dist and to its cache folder and nowhere else. The
// output folder changes only when everything has succeeded.
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// Result is what a run made.
type Result struct {
	Manifest
	// Dist is the absolute output folder.
	Dist string
	// Tests counts what was tested; nil where nothing was.
	Tests *gotest.Result
	// Loaded says which engine has the images now; empty where none was asked.
	Loaded []publish.Loaded
	// Archive is the docker archive that was written, if any.
	Archive string
	// Instructions say how to use a debug image.
	Instructions []Instruction
	// VerifyCommands are what Dist/verify/verify.sh runs, to verify a release with
	// stock clients.
	VerifyCommands []string
	// Previous are the images of the release before this one, by name, as their registry
	// has them; only where Options.Summary asks for them, and only those that are there.
	Previous map[string]PreviousImage
	// Stages are the times that the stages took, in the order of their end.
	// Several run at once.
	Stages []Stage
	// Elapsed is the time of the whole run.
	Elapsed time.Duration
}

// Stage is a stage of a run and how long it took.
type Stage struct {
	Name    string        `json:"name"`
	Elapsed time.Duration `json:"elapsed"`
}

// Plan resolves the Config and nothing more; with the platforms "all", as a release
// does. The plan is complete: the files that would be compiled have been compared with
// git.
func Plan(ctx context.Context, o Options) (p *plan.Plan, err error) {
	r, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.unfetched(err) }()
	r.archives = slices.Equal(o.Platforms, []string{"all"}) && !r.Config.Release.OmitArchives
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	if err := r.openCache(); err != nil {
		return nil, err
	}
	if err := r.list(ctx, nil); err != nil {
		return nil, err
	}
	r.complete(nil)
	return r.resolved.Plan, nil
}

// Test vets and tests the service's module.
func Test(ctx context.Context, o Options) (result *Result, err error) {
	r, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.unfetched(err) }()
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	if _, err := r.boundMemory(); err != nil {
		return nil, err
	}
	if err := r.test(ctx); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// Clean removes what thimble made in the output folder, and the folder if it is
// then empty.
func Clean(ctx context.Context, o Options) error {
	s, err := settle(o)
	if err != nil {
		return err
	}
	return publish.Remove(ctx, s.dist, s.waiting)
}

func (s *settled) waiting() {
	s.Progress.Notice("another run is changing " + s.Config.Dist + "; waiting for it")
}

// run is one run of the stages.
type run struct {
	*settled
	began    time.Time
	resolved *resolve.Resolved
	tests    *gotest.Result

	mu      sync.Mutex
	sources map[plan.Platform]*sources
	// untracked are copied files that git does not track, licenses is the
	// service's own licence.
	untracked []string
	licenses  string
	// inputs are the states of the images' inputs by name, where digests are stable.
	inputs map[string]*plan.Inputs
	// texts are the licence texts by what was found out of the modules.
	texts map[string]func() ([]byte, error)
	open  []*os.File
	// background is work that is waited for before the run ends.
	background sync.WaitGroup
	stages     []Stage
	done       Result

	// debug is what is different for a debug image; nil for any other.
	debug *debugging

	// bare are the units of a release that get an archive and no image.
	bare []*unit

	// indexes are the images' by name; beside has what lies in their layouts as well.
	indexes map[string]v1.ImageIndex
	beside  map[string][]publish.Beside

	bases bases
	cache *cache.Cache
	// salt goes before every key of a cached value: see kitSalt.
	salt string
}

// start settles the options and runs the hooks.
func start(ctx context.Context, o Options) (*run, error) {
	r := &run{began: time.Now(), sources: map[plan.Platform]*sources{}, texts: map[string]func() ([]byte, error){}}
	var err error
	if r.settled, err = settle(o); err != nil {
		return nil, err
	}
	for _, n := range r.notices {
		r.Progress.Notice(n)
	}
	for _, hook := range r.Config.Before {
		if err := r.hook(ctx, hook); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// hook runs one of Config.Before in the module's folder.
func (r *run) hook(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("an entry of Config.Before is an empty command")
	}
	return r.stage("before "+filepath.Base(args[0]), func() (string, error) {
		err := process.Run(ctx, process.Command{
			Args: args, Dir: filepath.Join(r.Workdir, filepath.FromSlash(r.Config.Dir)), Env: r.Env,
		})
		if err != nil {
			return "", fmt.Errorf("run Config.Before %q: %w", args, err)
		}
		return "", nil
	})
}

// resolve makes the plan.
func (r *run) resolve(ctx context.Context) error {
	return r.stage("resolve", func() (string, error) {
		var err error
		if r.resolved, err = resolve.Resolve(ctx, r.input()); err != nil {
			return "", err
		}
		for _, n := range r.resolved.Notices {
			r.Progress.Notice(n)
		}
		return r.resolved.Plan.Version, nil
	})
}

// test runs what Config.Test asks for.
func (r *run) test(ctx context.Context) error {
	return r.stage("test", func() (string, error) {
		in := gotest.Input{Go: r.resolved.Go, Config: r.Config.Test, Tags: r.resolved.Plan.Build.Tags, Parallel: r.resolved.Go.Parallel}
		in.CoverProfile, in.JUnit = r.abs(r.Config.Test.CoverProfile), r.abs(r.Config.Test.JUnit)
		result, err := gotest.Run(ctx, in)
		if err != nil {
			if failedTests(err) {
				r.tests = &result // a release may say so and go on
			}
			return "", err
		}
		r.tests = &result
		if result.Tests == 0 {
			return "there are no tests", nil
		}
		return fmt.Sprintf("%s, %s", count(result.Tests, "test"), count(result.Packages, "package")), nil
	})
}

// abs makes a path of Config absolute; "" stays.
func (r *settled) abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.Workdir, filepath.FromSlash(path))
}

// stage runs one stage, tells the progress of it and takes its time.
func (r *run) stage(name string, f func() (string, error)) error {
	end := r.Progress.Start(name)
	began := time.Now()
	outcome, err := f()
	end(outcome, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stages = append(r.stages, Stage{Name: name, Elapsed: time.Since(began)})
	return err
}

func (r *run) result() *Result {
	r.done.Dist = r.dist
	r.done.Plan = r.resolved.Plan
	r.done.Tests = r.tests
	r.done.Stages = slices.Clone(r.stages)
	r.done.Elapsed = time.Since(r.began)
	return &r.done
}

// count is "1 test" or "3 tests".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
