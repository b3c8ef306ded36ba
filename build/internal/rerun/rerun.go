// Package rerun runs a service in a container engine, and again when its source changes. It takes
// a function that builds the service, and what the user says about the container. It watches the
// files that a build names, and decides whether another program in the same image is enough or the
// image must be loaded again. It never resolves or compiles anything itself.
package rerun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// The time that a service has to stop. Mage ends five seconds after Ctrl-C, and the next version
// of a service waits for the previous one.
const (
	StopGrace    = 3 * time.Second
	restartGrace = time.Second
)

// Runner runs a service.
type Runner struct {
	Session *session.Session
	// Build builds the image and loads it into an engine; without image, it builds only the
	// program, and leaves it in the compiler's folder (see compile.Folder).
	Build func(ctx context.Context, image bool) (Build, error)
	// Given is the part of a container that the user has given.
	Given container.Spec
	Front *container.Front
	// Stdout and Stderr receive the service's output; they may be nil.
	Stdout, Stderr io.Writer
}

// Start starts a service, and says so. The caller must call Remove.
func (r Runner) Start(ctx context.Context, v Service) (*container.Container, error) {
	c, err := r.Front.Create(ctx, v.engine, v.spec)
	if err != nil {
		return nil, err
	}
	r.Front.Start(c, r.Stdout, r.Stderr)
	if !c.HasEnded() {
		r.Session.Progress.Notice(v.announcement(r.Front.Ports()))
	}
	return c, nil
}

// Rerun builds a service again when its source changes, and replaces its container c. began is when
// the build of the service began. A build that fails changes nothing. It returns when ctx ends,
// after it has stopped and removed the service.
func (r Runner) Rerun(ctx context.Context, now Service, c *container.Container, began time.Time) (err error) {
	notice, files := r.Session.Progress.Notice, watch(r.Session, now.latest, began)
	defer func() { err = errors.Join(err, c.Remove()) }()
	ended := c.Done()
	var pending []string // the files that differ from what runs
	for {
		changed, err := files.next(ctx, ended)
		if err != nil {
			return c.Stop(StopGrace)
		}
		if changed == nil {
			ended = nil
			how := status(c.Err())
			notice(now.spec.Image + " has ended" + how + "; it starts again when its source changes")
			if err := c.Remove(); err != nil {
				return err
			}
			continue
		}
		pending = slices.Compact(slices.Sorted(slices.Values(slices.Concat(pending, changed))))
		began := time.Now()
		next, replacement, err := r.rebuild(ctx, now, pending)
		switch {
		case err != nil && ctx.Err() != nil:
			return c.Stop(StopGrace)
		case err != nil:
			notice(fmt.Sprintf("%s changed, but nothing was started: %v", r.shown(pending), err))
			continue
		}
		files.add(next.latest.Files, began)
		if replacement == nil {
			now, pending = next, nil
			continue
		}
		if files.differ() { // the next build replaces this one
			if err := replacement.Remove(); err != nil {
				return errors.Join(err, c.Stop(StopGrace))
			}
			continue
		}
		old := c
		c, ended = replacement, nil
		if err := r.Front.Replace(old, c, restartGrace, r.Stdout, r.Stderr); err != nil {
			return errors.Join(err, c.Stop(StopGrace))
		}
		took := progress.Duration(time.Since(began))
		notice(fmt.Sprintf("%s changed: started again after %s", r.shown(pending), took))
		now, pending, ended = next, nil, c.Done()
	}
}

// status says how a service ended, for a message.
func status(err error) string {
	if err == nil {
		return ""
	}
	return " (" + err.Error() + ")"
}

// rebuild builds a service after files changed, and creates a container for it; none if the
// result is the same as before. If only programs differ, the container gets the image of before with
// the new programs over the old ones.
func (r Runner) rebuild(ctx context.Context, now Service, changed []string) (
	Service, *container.Container, error,
) {
	if !now.mayReplaceProgram(changed) {
		return r.reload(ctx, now)
	}
	next, img := now, now.latest.Plan.Images[0]
	folder := compile.Folder(r.Session.Cache, r.Session.Dist, "")
	next.spec.Programs = nil
	for _, p := range (artifact.Target{Image: img, Platform: now.latest.platform().Platform}).Programs() {
		next.spec.Programs = append(next.spec.Programs,
			container.Program{File: compile.Path(folder, p), Target: tree.AppPath(p.Name)})
	}
	// The container is created while the compiler runs. The file is read when it starts.
	var replacement *container.Container
	var createErr error
	var creating sync.WaitGroup
	creating.Go(func() { replacement, createErr = r.Front.Create(ctx, now.engine, next.spec) })
	result, err := r.Build(ctx, false)
	creating.Wait()
	for _, p := range next.spec.Programs {
		if err == nil {
			err = allExecute(p.File)
		}
	}
	if err == nil && createErr == nil && now.sameButProgram(result) && !now.sameProgram(result) {
		next.latest = result
		return next, replacement, nil
	}
	if replacement != nil {
		err = errors.Join(err, replacement.Remove())
	}
	switch {
	case err != nil:
		return now, nil, err
	case now.sameButProgram(result) && now.sameProgram(result):
		next = now
		next.latest = result
		return next, nil, nil
	}
	return r.reload(ctx, now)
}

// allExecute lets every user execute a file, such as that of the container. A umask may have
// prevented it.
func allExecute(file string) error {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o555 == 0o555 {
		return err
	}
	return os.Chmod(file, info.Mode().Perm()|0o555)
}

// reload builds the image and loads it into the engine.
func (r Runner) reload(ctx context.Context, now Service) (Service, *container.Container, error) {
	next, err := r.Load(ctx)
	if err != nil {
		return now, nil, err
	}
	if len(now.spec.Programs) == 0 && now.image.Images[0].Digest == next.image.Images[0].Digest {
		return next, nil, nil
	}
	c, err := r.Front.Create(ctx, next.engine, next.spec)
	return next, c, err
}

// shown returns the names of changed files for a message.
func (r Runner) shown(files []string) string {
	name := files[0]
	if rel, err := filepath.Rel(r.Session.Workdir, name); err == nil && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	if len(files) > 1 {
		name += fmt.Sprintf(" and %d more", len(files)-1)
	}
	return name
}
