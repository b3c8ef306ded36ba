package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
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

// stopGrace is the time that a service has to stop. Mage ends five seconds after Ctrl-C.
const stopGrace = 3 * time.Second

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
	img, module, err := o.image(ctx, s)
	if err != nil {
		return s.Unfetched(nil, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %s: %w", img.Name, err)
		}
	}()
	heard := &notices{Progress: s.Progress, said: map[string]bool{}}
	r := runner{session: s, options: o.only(img, module), stdout: o.Stdout, stderr: o.Stderr}
	r.options.Progress = heard
	if r.given, err = o.given(s); err != nil {
		return err
	}
	ports, err := o.ports(img)
	if err != nil {
		return err
	}
	if r.front, err = container.Publish(ports, o.Watch); err != nil {
		return err
	}
	defer r.front.Close()
	began := time.Now()
	first, err := r.load(ctx)
	if err != nil {
		return err
	}
	c, err := r.front.Create(ctx, first.engine, first.spec)
	if err != nil {
		return err
	}
	r.front.Start(c, r.stdout, r.stderr)
	if !c.HasEnded() {
		s.Progress.Notice(first.announcement(ports))
	}
	if o.Watch {
		heard.only.Store(true)
		return r.rerun(ctx, first, c, watch(s, first.latest, began))
	}
	return errors.Join(ended(ctx, c), c.Remove())
}

// runner is what a call of Run works with.
type runner struct {
	session *session.Session
	// options are those of a build of the one image.
	options        Options
	front          *container.Front
	stdout, stderr io.Writer
	// given is the part of a container that the user has given.
	given container.Spec
}

// ended waits for the end of a service, or ends it when ctx ends.
func ended(ctx context.Context, c *container.Container) error {
	select {
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return c.Stop(stopGrace)
	}
}

// image returns the image to run, and the path of its module.
func (o RunOptions) image(ctx context.Context, s *session.Session) (
	img plan.Image, module string, err error,
) {
	in := resolve.InputOf(s)
	in.Expanded = o.FromPlan
	resolved, err := resolve.Start(ctx, in)
	if err != nil {
		return img, "", err
	}
	if n := len(resolved.Plan.Platforms); n != 1 {
		return img, "", fmt.Errorf("run: %d platforms were named, and an image runs on one", n)
	}
	images := resolved.Plan.Images
	var names []string
	for _, img := range images {
		if img.Name == o.Image || o.Image == "" && len(images) == 1 {
			return img, resolved.Plan.Module.Path, nil
		}
		names = append(names, img.Name)
	}
	if o.Image == "" {
		return img, "", fmt.Errorf("run: there are %d images; choose one with -image=NAME: %s",
			len(images), strings.Join(names, ", "))
	}
	return img, "", fmt.Errorf("run: there is no image %q; there are %s", o.Image, strings.Join(names, ", "))
}

// only returns the options of a build that makes only this image of a plan.
func (o RunOptions) only(img plan.Image, module string) Options {
	one := o.Options
	one.Config.Images = []ImageConfig{{Package: img.Package}} // as if it were found
	for _, c := range o.Config.Images {
		if c.Name == img.Name || c.Name == "" && isPackage(c.Package, img.Package, module) {
			one.Config.Images = []ImageConfig{c}
		}
	}
	return one
}

// isPackage reports whether a Package of Config is the import path in a module.
func isPackage(named, importPath, module string) bool {
	named = path.Clean(filepath.ToSlash(named))
	return named == importPath || path.Join(module, named) == importPath
}

// ports returns the ports to publish.
func (o RunOptions) ports(img plan.Image) ([]container.Port, error) {
	named := o.Ports
	if len(named) == 0 {
		named = img.Runtime.Ports
	}
	var ports []container.Port
	for _, text := range named {
		p, err := container.ParsePort(text)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// service is an image in a container engine, and how to run it.
type service struct {
	engine container.Engine
	spec   container.Spec
	// mounts says that the engine can mount files of this machine, because it runs here.
	mounts bool
	// image is the build that made the image, latest the build of the program that runs. They
	// differ if only the program was built again.
	image, latest *Result
}

// load builds the image and loads it into the engine.
func (r runner) load(ctx context.Context) (service, error) {
	result, err := Image(ctx, ImageOptions{Options: r.options, SkipTests: true, Load: true})
	if err != nil {
		return service{}, err
	}
	env := r.session.Env
	v := service{spec: r.given, image: result, latest: result}
	v.engine = container.Engine{Name: result.Loaded[0].Engine, Env: env}
	if v.engine.Program, err = gocmd.LookPath(v.engine.Name, env); err != nil {
		return v, fmt.Errorf("find the client of %s: %w", v.engine.Name, err)
	}
	hosts, err := publish.EngineHosts(ctx, env)
	if err != nil {
		return v, err
	}
	v.mounts = !slices.ContainsFunc(hosts, func(h string) bool {
		return !strings.HasPrefix(h, "unix://") && !strings.HasPrefix(h, "npipe://")
	})
	img := result.Plan.Images[0]
	v.spec.Image, v.spec.Capabilities = img.Reference(), slices.Clone(img.Capabilities)
	for _, a := range img.Assets {
		v.spec.Capabilities = append(v.spec.Capabilities, a.Capabilities...)
	}
	v.spec.Tmp = slices.Contains(needed(result), plan.NeedTmp)
	return v, nil
}

// given returns what the options say about the container.
func (o RunOptions) given(s *session.Session) (container.Spec, error) {
	spec := container.Spec{Args: o.Args}
	for _, v := range o.Variables {
		name, value, set := strings.Cut(v, "=")
		if !set {
			value, set = s.LookupEnv(name)
		}
		switch {
		case name == "":
			return spec, fmt.Errorf("%q is not NAME=value or NAME", v)
		case !set:
			return spec, fmt.Errorf("the variable %s is not set here; set it, or write %s=VALUE", name, name)
		case secret.Is(name, value):
			spec.Secrets = append(spec.Secrets, name+"="+value)
		default:
			spec.Env = append(spec.Env, name+"="+value)
		}
	}
	return spec, nil
}

// platform returns the only image for the only platform of a run.
func (r *Result) platform() report.PlatformResult { return r.Images[0].Platforms[0] }

// announcement says what runs, and where to reach it.
func (v service) announcement(ports []container.Port) string {
	loaded := v.image.Loaded[0]
	text := fmt.Sprintf("%s runs in %s %s, until Ctrl-C", v.spec.Image, loaded.Engine, loaded.Version)
	for _, p := range ports {
		text += "\n" + p.String()
	}
	if len(ports) == 0 {
		text += "\nno port is published: name them in Ports of Config's Runtime, or with -port"
	}
	if len(v.spec.Capabilities) > 0 {
		text += "\nits file capabilities are granted, and therefore new privileges too"
	}
	return text
}
