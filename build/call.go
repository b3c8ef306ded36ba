package build

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// call is one call of a verb that needs a plan. It is complete once Config.Before has run.
type call struct {
	*session.Session
	making
	options Options
	began   time.Time
	times   *session.Times
	// engine is the container engine that gets the images, if that was requested.
	engine publish.Engine
	// standing lists the files that existed before Config.Before ran.
	standing generated.Standing
}

// making are the options of a verb that makes something.
type making struct {
	skipTests, allowFailingTests, load bool
	archive                            string
	summary                            func(*Result) ([]byte, error)
	// images says that it makes images and not only binaries, pins that it may pin packages.
	images, pins bool
	// decided is that of pipeline.Request.
	decided bool
	// unpublished leaves what was built in the compiler's folder.
	unpublished bool
}

// begin applies the options and runs Config.Before. With fresh, it first removes the files that
// Config.Before made in an earlier run.
func begin(ctx context.Context, o Options, m making, fresh bool) (*call, error) {
	began := time.Now()
	s, err := o.session(ctx)
	if err == nil && len(s.Config.Before) > 0 && (m.pins || m.images && base.Signed(s.Config)) {
		err = attest.Linked() // before Before runs, because the whole target runs again
	}
	if err != nil {
		return nil, err
	}
	c := &call{making: m, options: o, began: began, times: &session.Times{Progress: s.Progress}}
	c.Session = s.WithProgress(c.times)
	for _, n := range s.Notices {
		c.Progress.Notice(n)
	}
	standing, env, err := generated.Run(ctx, c.Session, fresh)
	if err != nil {
		return nil, err
	}
	c.standing, c.Session = standing, c.WithEnv(env)
	if m.load {
		if c.engine, err = publish.AnsweringEngine(ctx, c.Session); err != nil {
			return nil, c.Unfetched(nil, err)
		}
	}
	return c, nil
}

// resolve makes the draft of the plan, and checks that the engine and the archive can take the images.
// archives adds the platforms that only have archives.
func (c *call) resolve(ctx context.Context, archives bool) (draft *resolve.Draft, err error) {
	err = c.Stage("resolve", func() (string, error) {
		in := pipeline.ResolveInput(c.Session)
		in.Expanded = c.options.FromPlan
		if archives && !c.Config.Release.OmitArchives {
			in.Archives, in.ArchivePlatforms = true, c.Config.Release.ArchivePlatforms
		}
		if draft, err = resolve.Start(ctx, in); err != nil {
			return "", err
		}
		for _, n := range draft.Notices {
			c.Progress.Notice(n)
		}
		return draft.Plan.Version, c.mayHandOver(draft)
	})
	return draft, c.Unfetched(nil, err)
}

// target is where a run that makes something writes.
type target struct {
	pipeline.Workspace
	compiled *compile.Outputs
	// dist is the output folder, which is locked until close.
	dist       *publish.Dist
	background sync.WaitGroup
}

// open opens the workspace and the output folder. variant is that of compile.Folder; hashAll hashes
// every file that is used and ignores remembered hashes.
func (c *call) open(ctx context.Context, draft *resolve.Draft, variant string,
	hashAll bool) (*target, error) {
	w, err := pipeline.OpenWorkspace(ctx, c.Session, draft, variant, hashAll)
	if err != nil {
		return nil, err
	}
	to := &target{Workspace: w, compiled: compile.NewOutputs(ctx, w.Cache, w.CacheVersion)}
	to.compiled.HashAll = hashAll
	if to.dist, err = publish.Open(ctx, c.Dist, waiting(c.Session), w.Cache.Sums()); err != nil {
		return nil, err
	}
	to.background.Go(func() { _ = to.dist.Examine(ctx) }) // this only saves time
	return to, nil
}

// close closes everything. Without a commit, the output folder stays unchanged.
func (t *target) close() error {
	t.background.Wait()
	t.compiled.Close()
	return t.dist.Close() // nothing is left to close after a commit
}

func waiting(s *session.Session) func() {
	return func() { s.Progress.Notice("another run is changing " + s.Config.Dist + "; waiting for it") }
}

// build makes images, or only binaries. extras are those of debug images.
func (c *call) build(ctx context.Context, draft *resolve.Draft, to *target,
	extras map[pipeline.Unit]assemble.Extra) (*pipeline.Built, error) {
	return pipeline.Build(ctx, pipeline.Request{
		Session: c.Session, Draft: draft, Workspace: to.Workspace, Standing: c.standing, Outputs: to.compiled,
		Images: c.images, Extras: extras, Decided: c.decided,
		SkipTests: c.skipTests, AllowFailingTests: c.allowFailingTests, VerifyWithin: c.options.VerifyWithin,
	})
}

// done closes what was built.
func (c *call) done(made *pipeline.Built) {
	if err := made.Close(); err != nil {
		c.Progress.Notice(err.Error())
	}
}

// result returns the part of the Result that every call has.
func (c *call) result(p *plan.Plan, tests *report.Tests) *Result {
	return &Result{
		Manifest: report.Manifest{Plan: p}, Dist: c.Dist, Tests: tests,
		Stages: c.times.Ended(), Elapsed: time.Since(c.began),
	}
}

// finished returns the result of a call that has changed the output folder.
func (c *call) finished(to *target, result *Result, err error) (*Result, error) {
	if err != nil {
		return nil, err
	}
	if err := to.Trim(c.Session); err != nil {
		c.Progress.Notice(fmt.Sprintf("the cache was not trimmed: %v", err))
	}
	result.Stages, result.Elapsed = c.times.Ended(), time.Since(c.began)
	return result, nil
}
