package rerun

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Build is what a build made: one image for one platform, or only its program.
type Build struct {
	report.Manifest
	// Loaded has the engine that has the image; empty if only the program was built.
	Loaded []report.Loaded
	// Files are what it was made of.
	Files materials.Files
}

// platform returns the only image for the only platform.
func (b Build) platform() report.PlatformResult { return b.Images[0].Platforms[0] }

// Service is an image in a container engine, and how to run it.
type Service struct {
	engine container.Engine
	spec   container.Spec
	// mounts says that the engine can mount files of this machine, because it runs here.
	mounts bool
	// image is the build that made the image, latest the build of the program that runs. They
	// differ if only the program was built again.
	image, latest Build
}

// Load builds the image and loads it into the engine.
func (r Runner) Load(ctx context.Context) (Service, error) {
	b, err := r.Build(ctx, true)
	if err != nil {
		return Service{}, err
	}
	env := r.Session.Env
	v := Service{spec: r.Given, image: b, latest: b}
	v.engine = container.Engine{Name: b.Loaded[0].Engine, Env: env}
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
	img := b.Plan.Images[0]
	v.spec.Image, v.spec.Capabilities = img.Reference(), slices.Clone(img.Capabilities)
	for _, a := range img.Assets {
		v.spec.Capabilities = append(v.spec.Capabilities, a.Capabilities...)
	}
	v.spec.Tmp = slices.Contains(b.needed(), plan.NeedTmp)
	return v, nil
}

// announcement says what runs, and where to reach it.
func (v Service) announcement(ports []container.Port) string {
	loaded := v.image.Loaded[0]
	text := fmt.Sprintf("%s runs in %s %s, until Ctrl-C", v.spec.Image, loaded.Engine, loaded.Version)
	for _, p := range ports {
		text += "\n" + p.String()
	}
	if len(ports) == 0 {
		text += "\nno port is published: set Ports in Config's Runtime, or -port"
	}
	if len(v.spec.Capabilities) > 0 {
		text += "\nits file capabilities are granted, so new privileges are allowed"
	}
	return text
}

// mayReplaceProgram reports whether a build of the program may be enough after files changed.
// File capabilities are those of a file in the image, and a program with libraries may need
// others.
func (v Service) mayReplaceProgram(changed []string) bool {
	copied := func(name string) bool { return slices.Contains(v.latest.Files.Copied, name) }
	return v.mounts && len(v.spec.Capabilities) == 0 && v.latest.static() &&
		!slices.ContainsFunc(changed, copied)
}

// sameButProgram reports whether the image of a build differs from the image of v only in the
// program.
func (v Service) sameButProgram(b Build) bool {
	before, after := v.image.Plan.Images[0], b.Plan.Images[0]
	before.Tags, before.Inputs, after.Tags, after.Inputs = nil, nil, nil, nil
	return reflect.DeepEqual(before, after) && reflect.DeepEqual(v.image.Plan.Lock, b.Plan.Lock) &&
		slices.Equal(v.image.needed(), b.needed()) && b.static() &&
		slices.Equal(v.image.Files.Copied, b.Files.Copied)
}

// needed returns the names of what the image contains for the program.
func (b Build) needed() []string {
	var names []string
	for _, n := range b.platform().Needs {
		if !n.Embedded {
			names = append(names, n.Name)
		}
	}
	return names
}

// sameProgram reports whether a build made the programs that run.
func (v Service) sameProgram(b Build) bool {
	return slices.Equal(v.latest.programs(), b.programs())
}

// programs returns the hashes of the image's programs.
func (b Build) programs() []string {
	all := []string{b.platform().Binary.SHA256}
	for _, p := range b.platform().Programs {
		all = append(all, p.SHA256)
	}
	return all
}

// static reports whether no program loads libraries.
func (b Build) static() bool {
	for _, p := range b.platform().Programs {
		if !p.Static {
			return false
		}
	}
	return b.platform().Binary.Static
}
