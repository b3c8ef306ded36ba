// Package build is thimble's public API, and the only package that knows the order of the
// stages:
//
//	Config ─▶ resolve ─▶ Draft ─▶ pipeline ─▶ Plan, images ─▶ publish or release ─▶ manifest
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
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/plan"
)

// ErrOffline is the error of a run with Options.Offline that needs something from another
// machine.
var ErrOffline = offline.ErrOffline

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
	c, err := begin(ctx, o, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, slices.Equal(o.Platforms, []string{"all"}))
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	w, err := pipeline.OpenWorkspace(ctx, c.Session, draft, "", false)
	if err != nil {
		return nil, err
	}
	return pipeline.Plan(ctx, pipeline.Request{Session: c.Session, Draft: draft, Workspace: w, Standing: c.standing})
}

// Test vets and tests the service's module.
func Test(ctx context.Context, o Options) (result *Result, err error) {
	c, err := begin(ctx, o, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	g := *draft.Go
	if _, err := pipeline.BoundMemory(c.Session, &g); err != nil {
		return nil, err
	}
	tests, err := pipeline.Test(ctx, c.Session, draft.WithGo(&g))
	if err != nil {
		return nil, err
	}
	return c.result(draft.Plan, tests), nil
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
