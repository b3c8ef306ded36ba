package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/rerun"
	"github.com/thimble-build/thimble/build/internal/resolve"
)

// RunOptions are the options of Run, in addition to those of a build.
type RunOptions struct {
	Options
	// Image is the name of the image to run. It may be empty if the Config has one image.
	Image string
	// Args replace the arguments of the image, if there are any.
	Args []string
	// Variables are set for the service: NAME=value, or NAME for its value in Env.
	Variables []string
	// Ports are published on 127.0.0.1: "8080", "18080:8080" for another port of this machine,
	// "53/udp". If empty, they are those of the image.
	Ports []string
	// Watch builds and starts the service again when its source changes.
	Watch bool
	// Stdout and Stderr receive the service's output; they may be nil.
	Stdout, Stderr io.Writer
}

// Run builds an image and runs it in the container engine that answers, as production should:
// with a read-only root file system, without capabilities and without new privileges. If the
// binary needs /tmp, it is an empty file system in memory. Tests do not run.
//
// Run returns when the service ends, or stops it when ctx ends. A status other than 0 is an
// error with a method ExitStatus. No container is left.
func Run(ctx context.Context, o RunOptions) (err error) {
	s, err := o.session(ctx)
	if err != nil {
		return err
	}
	in := pipeline.ResolveInput(s)
	in.Expanded = o.FromPlan
	draft, err := resolve.Start(ctx, in)
	if err != nil {
		return s.Unfetched(nil, err)
	}
	img, config, err := rerun.Choose(draft.Plan, o.Config, o.Image)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %s: %w", img.Name, err)
		}
	}()
	heard := rerun.NewNotices(s.Progress)
	o.Config, o.Progress = config, heard
	r := rerun.Runner{Session: s, Build: o.build, Stdout: o.Stdout, Stderr: o.Stderr}
	r.Given.Args = o.Args
	if r.Given.Env, r.Given.Secrets, err = container.Variables(o.Variables, s.LookupEnv); err != nil {
		return err
	}
	if len(o.Ports) == 0 {
		o.Ports = img.Runtime.Ports
	}
	ports, err := container.ParsePorts(o.Ports)
	if err != nil {
		return err
	}
	if r.Front, err = container.Publish(ports, o.Watch); err != nil {
		return err
	}
	defer r.Front.Close()
	began := time.Now()
	first, err := r.Load(ctx)
	if err != nil {
		return err
	}
	c, err := r.Start(ctx, first)
	if err != nil {
		return err
	}
	if o.Watch {
		heard.Only()
		return r.Rerun(ctx, first, c, began)
	}
	return errors.Join(c.Wait(ctx, rerun.StopGrace), c.Remove())
}

// build builds the image of a run and loads it into the engine, or only builds its program.
func (o RunOptions) build(ctx context.Context, image bool) (rerun.Build, error) {
	m := making{images: image, skipTests: true, load: image, unpublished: !image}
	result, files, err := produce(ctx, o.Options, m)
	if err != nil {
		return rerun.Build{}, err
	}
	return rerun.Build{Manifest: result.Manifest, Loaded: result.Loaded, Files: files}, nil
}
