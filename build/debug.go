package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/busybox"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/delve"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// Instruction is a command that uses a debug image, and its purpose.
type Instruction struct {
	Image   string `json:"image"`
	Purpose string `json:"purpose"`
	Command string `json:"command"`
}

// Debug makes images of the same services with a debugger. They are compiled without
// optimisation, keep their symbols, and are started by dlv, which listens on port 40000. They
// also have a shell and busybox's commands. A toolbox is an image with the symbols of a release
// but without the service. It joins the container of a running release.
//
// The tags end in -debug and -toolbox, and nothing is pushed. Tests do not run, because the bug
// under debugging may make them fail. The repository's tools pin dlv (see package delve), its
// lock file pins busybox.
func Debug(ctx context.Context, o Options, toolbox bool) (result *Result, err error) {
	o.SkipTests = true
	d := &debugging{toolbox: toolbox, tools: map[plan.Platform]*debugTools{}}
	r, err := begin(ctx, o, making{images: true, debug: d})
	if err != nil {
		return nil, err
	}
	defer func() { err = r.end(err) }()
	if err := d.prepare(ctx, r); err != nil {
		return nil, err
	}
	made, err := r.build(ctx)
	if err != nil {
		return nil, err
	}
	instructions, err := d.writeInstructions(r.dist, made.units)
	if err != nil {
		return nil, err
	}
	err = r.Stage("publish", func() (string, error) {
		if result, err = r.stageOutput(ctx, made, nil); err != nil {
			return "", err
		}
		result.Instructions = instructions
		return "", r.commit(ctx, made, result)
	})
	return r.finished(result, err)
}

// debugging is what differs in a run that makes debug images. The methods that other code calls
// do nothing on nil.
type debugging struct {
	*run
	toolbox bool
	delve   *delve.Source
	// tools are complete for a platform once build was called for it.
	tools map[plan.Platform]*debugTools
}

// The folder of the tools in the image. No base contains it, so links in a base, such as /bin,
// cannot conflict with it.
const (
	debugFolder = "/debug"
	debugBin    = debugFolder + "/bin"
	debugDlv    = debugBin + "/dlv"
	debugPort   = "40000"
)

// prepare finds the tools before anything is compiled, and changes the plan.
func (d *debugging) prepare(ctx context.Context, r *run) error {
	d.run = r
	return r.Stage("find tools", func() (string, error) {
		var err error
		if d.delve, err = delve.Find(ctx, r.Workdir, r.Env, r.ForModules()...); err != nil {
			return "", err
		}
		all, err := lock.ReadIfThere(filepath.Join(r.resolved.Dir, lock.File))
		if err != nil {
			return "", err
		}
		p := r.resolved.Plan
		for _, platform := range p.Platforms {
			if err := d.delve.Check(ctx, platform); err != nil {
				return "", err
			}
			selection, err := d.findBusybox(all, platform)
			if err != nil {
				return "", err
			}
			d.tools[platform] = &debugTools{busybox: selection}
		}
		if !d.toolbox {
			r.resolved.KeepSymbols()
			p.Build.GCFlags = []string{"all=-N -l"}
		}
		for i := range p.Images {
			if d.toolbox {
				p.Images[i] = toolboxOf(p.Images[i])
			} else {
				debugged(&p.Images[i])
			}
		}
		d.tag(p)
		return "delve " + d.delve.Version, d.pin(all)
	})
}

// pin adds to the plan what the images are now made of: their bases, and busybox.
func (d *debugging) pin(all *plan.Lock) error {
	p := d.resolved.Plan
	uses := lock.Uses(p.Images, p.Platforms)
	for _, platform := range p.Platforms {
		uses = append(uses, busyboxOn(platform))
	}
	var err error
	p.Lock, err = lock.Select(all, d.resolved.Suite, uses)
	return err
}

// busyboxOn returns the Debian packages that debug images have in addition to their base.
func busyboxOn(p plan.Platform) lock.Use {
	return lock.Use{Base: plan.BaseDebian, Packages: []string{busybox.Package}, Platform: p}
}

// findBusybox returns the lock's entry for a platform.
func (d *debugging) findBusybox(all *plan.Lock, platform plan.Platform) (debian.Selection, error) {
	suite := d.resolved.Suite
	locked := lock.Suite(all, suite)
	architecture, err := debian.Architecture(suite, platform)
	if err != nil {
		return debian.Selection{}, fmt.Errorf("find busybox: %w", err)
	}
	s, err := debian.Find(locked, plan.BaseDebian, []string{busybox.Package}, architecture)
	if err != nil {
		return s, fmt.Errorf("find busybox in thimble.lock.json: %w; run \"mage lock\"", err)
	}
	return s, nil
}

// debugUses returns how debug images use busybox, on the platforms that delve supports. It is
// empty if the repository's tools do not include delve.
func (r *run) debugUses(ctx context.Context, platforms []plan.Platform) ([]lock.Use, error) {
	source, err := delve.Find(ctx, r.Workdir, r.Env, r.ForModules()...)
	if errors.Is(err, delve.ErrNotPinned) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var uses []lock.Use
	for _, p := range platforms {
		err := source.Check(ctx, p)
		if errors.Is(err, delve.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uses = append(uses, busyboxOn(p))
	}
	return uses, nil
}

// debugged changes an image into its debug image.
func debugged(img *plan.Image) {
	// dlv writes its settings below HOME, and debuggers write files.
	for _, need := range []string{plan.NeedHome, plan.NeedTmp, plan.NeedUsers} {
		if !slices.Contains(img.Include, need) && !slices.Contains(img.Exclude, need) {
			img.Include = append(img.Include, need)
		}
	}
	slices.Sort(img.Include)
	run := &img.Runtime
	run.Ports = append(slices.Clone(run.Ports), debugPort)
	run.Env = withPath(run.Env, "/app")
	img.Title += " (debug)"
}

// toolboxOf returns the toolbox of an image. It runs as root, because the kernel gives a
// capability that was added to a container only to root.
func toolboxOf(img plan.Image) plan.Image {
	return plan.Image{
		Name: img.Name, Package: img.Package, Repository: img.Repository, Base: plan.BaseScratch, Cgo: img.Cgo,
		Title: img.Title + " (toolbox)", Licenses: img.Licenses,
		Include: []string{plan.NeedTmp, plan.NeedUsers},
		Runtime: plan.Runtime{
			User: "0:0", Args: []string{debugBin + "/sh"}, Ports: []string{debugPort},
			Env: withPath([]string{"HOME=/tmp"}),
		},
	}
}

// withPath returns env with the folder of the tools at the end of PATH. If env has no PATH, it is
// set to the folders of first, the tools and the usual folders.
func withPath(env []string, first ...string) []string {
	env = slices.Clone(env)
	for i, e := range env {
		if strings.HasPrefix(e, "PATH=") {
			env[i] += ":" + debugBin
			return env
		}
	}
	folders := append(first, debugBin, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
	return append(env, "PATH="+strings.Join(folders, ":"))
}

// suffix returns the suffix of names of debug images.
func (d *debugging) suffix() string {
	switch {
	case d == nil:
		return ""
	case d.toolbox:
		return "-toolbox"
	}
	return "-debug"
}

func (d *debugging) isToolbox() bool { return d != nil && d.toolbox }

// flags distinguishes binaries with other compiler flags from those of a release.
func (d *debugging) flags() string {
	if d == nil || d.toolbox {
		return ""
	}
	return "\x00debug"
}

// tag gives the images tags that no release has.
func (d *debugging) tag(p *plan.Plan) {
	if d == nil {
		return
	}
	for i := range p.Images {
		p.Images[i].Tags = []string{resolve.Tag(p.Version + d.suffix())}
	}
}

// headless are dlv's flags to serve any number of clients, one after the other, while the
// service continues to run.
var headless = []string{"--headless", "--listen=:" + debugPort, "--api-version=2", "--accept-multiclient", "--continue"}

// entrypoint returns what the image starts; nil for the binary.
func (d *debugging) entrypoint(u *unit) []string {
	switch {
	case d == nil:
		return nil
	case d.toolbox:
		return []string{}
	}
	return slices.Concat([]string{debugDlv, "exec"}, headless, []string{u.appPath(), "--"})
}
