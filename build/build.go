// Package build is thimble's public API, and the only package that knows the order of the
// stages:
//
//	Config ─▶ resolve ─▶ Plan ─▶ for each image and platform
//	                               compile ─▶ needs ─▶ tree ─▶ image
//	                         ─▶ index ─▶ describe ─▶ publish ─▶ manifest
//
// Most callers need Image, which runs all stages and returns a Result. Binaries stops after the
// compiler, Plan before it. The Mage targets in build/targets are thin: they read flags, call
// one function of this package, and print the result.
//
// A run writes only to Config.Dist and to its cache folder. The output folder changes only when
// everything has succeeded.
package build

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Result is the outcome of a run.
type Result struct {
	Manifest
	// Dist is the absolute path of the output folder.
	Dist string
	// Tests counts the tests that ran; nil if none ran.
	Tests *gotest.Result
	// Loaded names the engine that now has the images; empty if Load was not requested.
	Loaded []publish.Loaded
	// Archive is the docker archive that was written, if any.
	Archive string
	// Instructions say how to use a debug image.
	Instructions []Instruction
	// VerifyCommands are the commands in Dist/verify/verify.sh, which verify a release with
	// standard clients.
	VerifyCommands []string
	// Previous are the images of the previous release that are still in the registry, by name.
	// It is set only with Options.Summary.
	Previous map[string]PreviousImage
	// Stages are the times of the stages, in the order in which they ended. Several run at
	// once.
	Stages []Stage
	// Elapsed is the time of the whole run.
	Elapsed time.Duration
}

// Stage is a stage of a run and its duration.
type Stage struct {
	Name    string        `json:"name"`
	Elapsed time.Duration `json:"elapsed"`
}

// Plan resolves the Config without compiling. With the platforms "all" it returns the plan of a
// release. The files that would go into the images are compared with the commit. Values that
// are read from a binary are not in the plan.
func Plan(ctx context.Context, o Options) (p *plan.Plan, err error) {
	r, err := start(ctx, o, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = r.unfetched(err) }()
	r.archives = slices.Equal(o.Platforms, []string{"all"}) && !r.Config.Release.OmitArchives
	if err := r.resolve(ctx); err != nil {
		return nil, err
	}
	if err := r.openCache(ctx); err != nil {
		return nil, err
	}
	found, err := r.list(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := r.complete(nil, found); err != nil {
		return nil, err
	}
	r.noticeDirt()
	r.noticeGenerated()
	return r.resolved.Plan, nil
}

// Test vets and tests the service's module.
func Test(ctx context.Context, o Options) (result *Result, err error) {
	r, err := start(ctx, o, false)
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

// Clean removes everything that thimble made in the output folder, and the folder if it is then
// empty.
func Clean(ctx context.Context, o Options) error {
	s, err := o.session(ctx)
	if err != nil {
		return err
	}
	return publish.Remove(ctx, s.Dist, waiting(s))
}

func waiting(s *session.Session) func() {
	return func() { s.Progress.Notice("another run is changing " + s.Config.Dist + "; waiting for it") }
}

// run is one run of the stages.
type run struct {
	*session.Session
	asked    Options
	began    time.Time
	times    *times
	resolved *resolve.Resolved
	tests    *gotest.Result

	mu sync.Mutex
	// stood lists the files that existed before Config.Before ran.
	stood generated.Standing
	// found are the findings about the source, once make has compiled it.
	found *findings
	// texts are the licence texts, by the findings about the modules.
	texts map[string]func() ([]byte, error)
	open  []*os.File
	// whole ends with the run. It is for work that outlives the group that started it.
	whole context.Context
	// background is work that must end before the run ends.
	background sync.WaitGroup

	making
	// engine is the container engine that gets the images, if that was requested.
	engine publish.Engine
	// dist is the output folder, once build has opened it.
	dist *publish.Dist

	// bases are the bases of the plan, once build has started.
	bases   *base.Set
	cache   *cache.Cache
	modules *modsum.Cache
	// cacheVersion is the prefix of every key of a cached value: see kitCacheVersion.
	cacheVersion string
}

// start applies the options and runs Config.Before. With fresh, it first removes the files that
// Config.Before made in an earlier run.
func start(ctx context.Context, o Options, fresh bool) (*run, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	r := &run{whole: ctx, asked: o, began: time.Now(), times: &times{Progress: s.Progress}, texts: map[string]func() ([]byte, error){}}
	r.Session = s.WithProgress(r.times)
	for _, n := range r.Notices {
		r.Progress.Notice(n)
	}
	stood, env, err := generated.Run(ctx, r.Session, fresh)
	if err != nil {
		return nil, err
	}
	r.stood, r.Session = stood, r.WithEnv(env)
	return r, nil
}

// resolve makes the plan.
func (r *run) resolve(ctx context.Context) error {
	return r.Stage("resolve", func() (string, error) {
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

// missedSecrets names the secrets that failed tests did not see, if any were withheld.
func (r *run) missedSecrets(seen []string) {
	var missed []string
	for _, name := range secret.Names(r.Secrets) {
		if !slices.Contains(secret.Names(seen), name) && !slices.Contains(missed, name) {
			missed = append(missed, name)
		}
	}
	if len(missed) > 0 {
		r.Progress.Notice("tests do not see the secrets of the environment: " + strings.Join(missed, ", ") + "; one that they need is named in Config.Test.Env")
	}
}

// test runs the tests of Config.Test.
func (r *run) test(ctx context.Context) error {
	return r.Stage("test", func() (string, error) {
		in := gotest.Input{Go: r.resolved.Go, Config: r.Config.Test, Tags: r.resolved.Plan.Build.Tags, Parallel: r.resolved.Go.Parallel, Env: secret.Select(r.Secrets, r.Config.Test.Env), Confined: r.Confines()}
		in.CoverProfile, in.JUnit = r.Path(r.Config.Test.CoverProfile), r.Path(r.Config.Test.JUnit)
		result, err := gotest.Run(ctx, in)
		if err != nil {
			if failedTests(err) {
				r.tests = &result // a release may allow this, report it and continue
				r.missedSecrets(in.Env)
			}
			return "", err
		}
		r.tests = &result
		if result.Tests == 0 {
			return "there are no tests", nil
		}
		return fmt.Sprintf("%s, %s", progress.Count(result.Tests, "test"), progress.Count(result.Packages, "package")), nil
	})
}

// times records the duration of each stage and passes everything on to Progress.
type times struct {
	Progress
	mu     sync.Mutex
	stages []Stage
}

func (t *times) Start(name string) func(string, error) {
	end, began := t.Progress.Start(name), time.Now()
	return func(outcome string, err error) {
		end(outcome, err)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stages = append(t.stages, Stage{Name: name, Elapsed: time.Since(began)})
	}
}

func (t *times) ended() []Stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.stages)
}

// result returns the part of the Result that every run has.
func (r *run) result() *Result {
	return &Result{
		Manifest: Manifest{Plan: r.resolved.Plan}, Dist: r.Dist, Tests: r.tests,
		Stages: r.times.ended(), Elapsed: time.Since(r.began),
	}
}
