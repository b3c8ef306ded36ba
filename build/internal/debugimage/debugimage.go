// Package debugimage makes debug images as data: a change of the plan, and what the images have in
// addition to a release's (see assemble.Extra).
//
// The image of a service is compiled without optimisation, keeps its symbols, and is started by dlv,
// which listens on Port. It also has busybox's shell and commands. A toolbox has the symbols of a
// release but not the service: it joins the container of a running release.
//
// The repository's tools pin dlv, or package delve. The repository's lock file pins busybox, or a
// file in the cache folder, so that a first debug image needs no change of the repository.
package debugimage

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
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Port is where dlv listens.
const Port = "40000"

// The folder of the tools in the image. No base contains it, so links in a base, such as /bin,
// cannot conflict with it.
const (
	folder = "/debug"
	bin    = folder + "/bin"
	dlv    = bin + "/dlv"
)

// headless are dlv's flags to serve any number of clients, one after the other, while the service
// continues to run.
var headless = []string{"--headless", "--listen=:" + Port, "--api-version=2",
	"--accept-multiclient", "--continue"}

// Kind is a kind of debug image.
type Kind struct {
	// Toolbox says that the images have the symbols instead of the service.
	Toolbox bool
}

// Suffix is the suffix of names and tags.
func (k Kind) Suffix() string {
	if k.Toolbox {
		return "-toolbox"
	}
	return "-debug"
}

// Variant distinguishes the folder of binaries with other compiler flags than a release's (see
// compile.Folder).
func (k Kind) Variant() string {
	if k.Toolbox {
		return ""
	}
	return "\x00debug"
}

// Source is where the tools come from, for each platform of a plan.
type Source struct {
	Kind
	Delve   *delve.Source
	busybox map[plan.Platform]debian.Selection
}

// Find finds the tools before anything is compiled, and returns the draft of the debug images.
func Find(ctx context.Context, s *session.Session, draft *resolve.Draft,
	kind Kind) (Source, *resolve.Draft, error) {
	from := Source{Kind: kind, busybox: map[plan.Platform]debian.Selection{}}
	var err error
	from.Delve, err = delve.Find(ctx, s.Workdir, s.Env, s.ForModules()...)
	if errors.Is(err, delve.ErrNotPinned) {
		from.Delve, err = delve.Pinned(ctx, filepath.Join(s.Cache, "delve"), s.Env, s.ForModules()...)
	}
	if err != nil {
		return from, nil, err
	}
	all, err := lock.ReadIfThere(filepath.Join(draft.Dir, lock.File))
	if err != nil {
		return from, nil, err
	}
	p := draft.Plan
	v := resolve.Variant{Suffix: kind.Suffix()}
	for _, img := range p.Images {
		if kind.Toolbox {
			v.Images = append(v.Images, toolbox(img))
		} else {
			v.Images = append(v.Images, debugged(img))
		}
	}
	if !kind.Toolbox {
		v.KeepSymbols, v.GCFlags = true, []string{"all=-N -l"}
	}
	uses := lock.Uses(v.Images, p.Platforms)
	for _, platform := range p.Platforms {
		if err := from.Delve.Check(ctx, platform); err != nil {
			return from, nil, err
		}
	}
	own, err := pinBusybox(ctx, s, all, draft.Suite, p.Platforms)
	if err != nil {
		return from, nil, err
	}
	for _, platform := range p.Platforms {
		// The packages of a lock are in the snapshot of its indexes.
		if from.busybox[platform], err = findBusybox(all, draft.Suite, platform); err != nil {
			from.busybox[platform], err = findBusybox(own, draft.Suite, platform)
		}
		if err != nil {
			return from, nil, err
		}
		uses = append(uses, busyboxOn(platform))
	}
	if v.Lock, err = lock.Select(lock.Join(all, own), draft.Suite, uses); err != nil {
		return from, nil, err
	}
	draft, err = draft.Vary(v)
	return from, draft, err
}

// busyboxOn returns the Debian packages that debug images have in addition to their base.
func busyboxOn(p plan.Platform) lock.Use {
	return lock.Use{Base: plan.BaseDebian, Packages: []string{busybox.Package}, Platform: p}
}

// findBusybox returns the lock's entry for a platform.
func findBusybox(all *plan.Lock, suite string, platform plan.Platform) (debian.Selection, error) {
	architecture, err := debian.Architecture(suite, platform)
	if err != nil {
		return debian.Selection{}, fmt.Errorf("find busybox: %w", err)
	}
	s, err := debian.Find(lock.Suite(all, suite), plan.BaseDebian, []string{busybox.Package}, architecture)
	if err != nil {
		return s, fmt.Errorf("find busybox: %w", err)
	}
	return s, nil
}

// Uses returns how debug images use busybox, on the platforms that delve supports. It is empty if
// the repository's tools do not include delve.
func Uses(ctx context.Context, s *session.Session, platforms []plan.Platform) ([]lock.Use, error) {
	source, err := delve.Find(ctx, s.Workdir, s.Env, s.ForModules()...)
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

// debugged returns the debug image of an image.
func debugged(img plan.Image) plan.Image {
	img.Include = slices.Clone(img.Include)
	// dlv writes its settings below HOME, and debuggers write files.
	for _, need := range []string{plan.NeedHome, plan.NeedTmp, plan.NeedUsers} {
		if !slices.Contains(img.Include, need) && !slices.Contains(img.Exclude, need) {
			img.Include = append(img.Include, need)
		}
	}
	slices.Sort(img.Include)
	img.Runtime.Ports = append(slices.Clone(img.Runtime.Ports), Port)
	img.Runtime.Env = withPath(img.Runtime.Env, "/app")
	img.Title += " (debug)"
	return img
}

// toolbox returns the toolbox of an image. It runs as root, because the kernel gives a capability
// that was added to a container only to root.
func toolbox(img plan.Image) plan.Image {
	return plan.Image{
		Name: img.Name, Package: img.Package, Repository: img.Repository,
		Base: plan.BaseScratch, Cgo: img.Cgo,
		BuildTags: img.BuildTags, LDFlags: img.LDFlags, FIPS140: img.FIPS140,
		Title: img.Title + " (toolbox)", Licenses: img.Licenses,
		Include: []string{plan.NeedTmp, plan.NeedUsers},
		Runtime: plan.Runtime{
			User: "0:0", Args: []string{bin + "/sh"}, Ports: []string{Port},
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
			env[i] += ":" + bin
			return env
		}
	}
	folders := append(first, bin, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
		"/usr/bin", "/sbin", "/bin")
	return append(env, "PATH="+strings.Join(folders, ":"))
}
