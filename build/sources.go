package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// sources are what the go command says is compiled for one platform.
type sources struct {
	// Modules are the linked modules by main package.
	Modules map[string][]resolve.Module
	// Untracked are the compiled files that git does not track.
	Untracked []string
	// Inputs are those of each main package, where digests are stable.
	Inputs map[string]resolve.Inputs
	// Outside says that they depend on more than the repository.
	Outside bool
}

// list finds out what is compiled for each platform, and the licences of that and
// of the service itself.
//
// What the go command lists depends on the tree alone, so it is asked only when
// the tree has changed, and then beside the compiler.
func (r *run) list(ctx context.Context, units []*unit) error {
	return r.stage("list sources", func() (string, error) {
		g, gctx := errgroup.WithContext(ctx)
		for _, platform := range r.listedPlatforms() {
			g.Go(func() error {
				if err := r.listPlatform(gctx, platform); err != nil {
					return err
				}
				for _, u := range units {
					if u.platform != platform {
						continue
					}
					if err := r.findLicenses(gctx, u); err != nil {
						return err
					}
				}
				return nil
			})
		}
		g.Go(func() (err error) {
			r.licenses, err = r.ownLicenses(gctx)
			return err
		})
		g.Go(func() (err error) {
			r.untracked, err = r.untrackedAssets(gctx)
			return err
		})
		if err := g.Wait(); err != nil {
			return "", err
		}
		return "", r.findInputs(ctx)
	})
}

// listedPlatforms are those whose sources are listed.
func (r *run) listedPlatforms() []plan.Platform {
	p := r.resolved.Plan
	all := p.Targets()
	for _, platform := range p.InputPlatforms {
		if !slices.Contains(all, platform) {
			all = append(all, platform)
		}
	}
	return all
}

// complete writes what list found out into the plan: the service's licence, and
// that a file which git does not track makes the tree dirty. It is called when
// the compiler is done, and nothing else uses the plan meanwhile.
func (r *run) complete(units []*unit) {
	p := r.resolved.Plan
	for i := range p.Images {
		p.Images[i].Licenses = cmp.Or(p.Images[i].Licenses, r.licenses)
		p.Images[i].Inputs = r.inputs[p.Images[i].Name]
	}
	if untracked := r.allUntracked(p.Targets()); len(untracked) > 0 {
		r.resolved.MarkDirty(untracked[0])
	}
	r.debug.tag(p)
	if p.Dirty {
		r.Progress.Notice("the tree differs from the commit: " + p.DirtyFile)
	}
	for _, u := range units {
		for _, img := range p.Images {
			if img.Name == u.image.Name {
				u.image = img
			}
		}
	}
}

func (r *run) listPlatform(ctx context.Context, platform plan.Platform) error {
	key, err := r.sourcesKey(platform)
	if err != nil {
		return err
	}
	var s *sources
	asked := false
	ask := func() (*sources, error) {
		asked = true
		return r.askGo(ctx, platform)
	}
	if key != "" {
		s, err = value(r, key, ask)
	}
	if !asked && (s == nil || s.Outside) && err == nil {
		s, err = ask()
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources[platform] = s
	return nil
}

func (r *run) listed(platform plan.Platform) *sources {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[platform]
}

func (r *run) askGo(ctx context.Context, platform plan.Platform) (*sources, error) {
	listed, err := r.resolved.Sources(ctx, platform)
	if err != nil {
		return nil, err
	}
	s := &sources{Modules: map[string][]resolve.Module{}}
	for _, img := range r.resolved.Plan.Images {
		s.Modules[img.Package] = listed.Modules(img.Package)
	}
	if r.resolved.Plan.StableDigests() {
		s.Inputs = map[string]resolve.Inputs{}
		for _, img := range r.resolved.Plan.Images {
			if s.Inputs[img.Package], err = r.resolved.Inputs(listed, img.Package); err != nil {
				return nil, err
			}
		}
	}
	s.Outside = r.resolved.Outside(listed)
	s.Untracked, err = r.resolved.Untracked(ctx, listed)
	return s, err
}

// sourcesKey is everything that the sources of a platform depend on; empty where
// something of it is not known.
func (r *run) sourcesKey(platform plan.Platform) (string, error) {
	p := r.resolved.Plan
	if r.resolved.TreeState == "" {
		return "", nil
	}
	var packages, cgo []string
	for _, img := range p.Images {
		packages = append(packages, img.Package)
		if img.Cgo {
			cgo = append(cgo, img.Package)
		}
	}
	key, err := json.Marshal(struct {
		Platform                    plan.Platform
		Toolchain                   plan.Toolchain
		Build                       plan.Build
		Packages, Cgo               []string
		ModuleCache, Dir, TreeState string
		Stable                      bool
	}{platform, p.Toolchain, p.Build, packages, cgo, r.resolved.Go.Setting("GOMODCACHE"), r.resolved.Dir, r.resolved.TreeState, p.StableDigests()})
	return "sources-" + string(key), err
}

// untrackedAssets are the files that are copied into images and that git does
// not track.
func (r *run) untrackedAssets(ctx context.Context) ([]string, error) {
	var files []string
	for _, img := range r.resolved.Plan.Images {
		names, err := tree.AssetFiles(r.resolved.Dir, img.CACertificates, img.Assets)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		for _, name := range names {
			files = append(files, filepath.Join(r.resolved.Dir, filepath.FromSlash(name)))
		}
	}
	return r.resolved.UntrackedFiles(ctx, files)
}
