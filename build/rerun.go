package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/report"
)

// restartGrace is the time that a service has to stop before its next version starts.
const restartGrace = time.Second

// rerun builds a service again when its source changes, and replaces its container c. A build
// that fails changes nothing. It returns when ctx ends, after it has stopped the service.
func (r runner) rerun(ctx context.Context, now service, c *container.Container, files *sources) (err error) {
	notice := r.session.Progress.Notice
	defer func() { err = errors.Join(err, c.Remove()) }()
	ended := c.Done()
	var pending []string // the files that differ from what runs
	for {
		changed, err := files.next(ctx, ended)
		if err != nil {
			return c.Stop(stopGrace)
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
			return c.Stop(stopGrace)
		case err != nil:
			notice(fmt.Sprintf("%s changed, and nothing was started: %v", r.shown(pending), err))
			continue
		}
		files.add(next.latest, began)
		if replacement == nil {
			now, pending = next, nil
			continue
		}
		if files.differ() { // the next build replaces this one
			if err := replacement.Remove(); err != nil {
				return errors.Join(err, c.Stop(stopGrace))
			}
			continue
		}
		old := c
		c, ended = replacement, nil
		if err := r.front.Replace(old, c, restartGrace, r.stdout, r.stderr); err != nil {
			return errors.Join(err, c.Stop(stopGrace))
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
// result is the same as before. If only the program differs, the container gets the image of
// before with the new program over the old one.
func (r runner) rebuild(ctx context.Context, now service, changed []string) (
	service, *container.Container, error,
) {
	if !now.mayReplaceProgram(changed) {
		return r.reload(ctx, now)
	}
	next, img := now, now.latest.Plan.Images[0]
	folder := compile.Folder(r.session.Cache, r.session.Dist, "")
	next.spec.Program = &container.Program{
		File:   compile.Path(folder, img, now.latest.platform().Platform),
		Target: tree.AppPath(img.Name),
	}
	// The container is created while the compiler runs. The file is read when it starts.
	var replacement *container.Container
	var createErr error
	var creating sync.WaitGroup
	creating.Go(func() { replacement, createErr = r.front.Create(ctx, now.engine, next.spec) })
	result, err := r.program(ctx, next.spec.Program.File)
	creating.Wait()
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

// program builds only the program, which it leaves in the compiler's folder: the output folder
// contains the image.
func (r runner) program(ctx context.Context, file string) (result *Result, err error) {
	c, err := begin(ctx, r.options, making{skipTests: true}, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = c.Unfetched(draft.Go, err) }()
	to, err := c.open(ctx, draft, "", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	made, err := c.build(ctx, draft, to, false, nil)
	if err != nil {
		return nil, err
	}
	defer c.done(made)
	if err := allExecute(file); err != nil {
		return nil, err
	}
	result = c.result(made.Plan, nil)
	result.lists, result.files = made.Lists, made.Files
	built := made.Images[0]
	p := report.PlatformResult{Platform: built.Platform}
	p.Binary = report.Binary{SHA256: built.SHA256, Static: !built.Binary.Dynamic()}
	for _, n := range built.Needs {
		p.Needs = append(p.Needs, report.Need{Need: n})
	}
	result.Images = []report.ImageResult{{Name: built.Image.Name, Platforms: []report.PlatformResult{p}}}
	return result, nil
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
func (r runner) reload(ctx context.Context, now service) (service, *container.Container, error) {
	next, err := r.load(ctx)
	if err != nil {
		return now, nil, err
	}
	if now.spec.Program == nil && now.image.Images[0].Digest == next.image.Images[0].Digest {
		return next, nil, nil
	}
	c, err := r.front.Create(ctx, next.engine, next.spec)
	return next, c, err
}

// mayReplaceProgram reports whether a build of the program may be enough after files changed.
// File capabilities are those of a file in the image, and a program with libraries may need
// others.
func (v service) mayReplaceProgram(changed []string) bool {
	copied := func(name string) bool { return slices.Contains(v.latest.files.Copied, name) }
	return v.mounts && len(v.spec.Capabilities) == 0 && v.latest.platform().Binary.Static &&
		!slices.ContainsFunc(changed, copied)
}

// sameButProgram reports whether the image of a build differs from the image of v only in the
// program.
func (v service) sameButProgram(r *Result) bool {
	before, after := v.image.Plan.Images[0], r.Plan.Images[0]
	before.Tags, before.Inputs, after.Tags, after.Inputs = nil, nil, nil, nil
	return reflect.DeepEqual(before, after) && reflect.DeepEqual(v.image.Plan.Lock, r.Plan.Lock) &&
		slices.Equal(needed(v.image), needed(r)) && r.platform().Binary.Static &&
		slices.Equal(v.image.files.Copied, r.files.Copied)
}

// needed returns the names of what the image contains for the program.
func needed(r *Result) []string {
	var names []string
	for _, n := range r.platform().Needs {
		if !n.Embedded {
			names = append(names, n.Name)
		}
	}
	return names
}

// sameProgram reports whether a build made the program that runs.
func (v service) sameProgram(r *Result) bool {
	return v.latest.platform().Binary.SHA256 == r.platform().Binary.SHA256
}

// shown returns the names of changed files for a message.
func (r runner) shown(files []string) string {
	name := files[0]
	if rel, err := filepath.Rel(r.session.Workdir, name); err == nil && filepath.IsLocal(rel) {
		name = filepath.ToSlash(rel)
	}
	if len(files) > 1 {
		name += fmt.Sprintf(" and %d more", len(files)-1)
	}
	return name
}

// notices passes on every notice once and, after the first build, no stages: the output is then
// the service's.
type notices struct {
	Progress
	only atomic.Bool
	mu   sync.Mutex
	said map[string]bool
}

func (n *notices) Start(task string) func(string, error) {
	if n.only.Load() {
		return func(string, error) {}
	}
	return n.Progress.Start(task)
}

func (n *notices) Notice(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.said[text] {
		n.said[text] = true
		n.Progress.Notice(text)
	}
}
