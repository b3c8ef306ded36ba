package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

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

	// recalled says that an earlier run listed them.
	recalled bool
}

// list finds out what is compiled for each platform, and the service's own
// licence.
//
// Where git sees the same tree as in an earlier run, and the units have binaries
// that this run made, it listed the same, and the go command need not be asked.
// That holds only if the compiler leaves the binaries alone: see relist.
func (r *run) list(ctx context.Context, units []*unit) error {
	return r.stage("list sources", func() (string, error) {
		g, gctx := errgroup.WithContext(ctx)
		for _, platform := range r.resolved.Plan.Platforms {
			g.Go(func() error { return r.listPlatform(gctx, platform, units) })
		}
		g.Go(func() (err error) {
			r.licenses, err = r.ownLicenses(gctx)
			return err
		})
		g.Go(func() (err error) {
			r.untracked, err = r.untrackedAssets(gctx)
			return err
		})
		return "", g.Wait()
	})
}

// complete writes what list found out into the plan: the service's licence, and
// that a file which git does not track makes the tree dirty. Nothing else may use
// the plan meanwhile.
func (r *run) complete() {
	p := r.resolved.Plan
	for i := range p.Images {
		p.Images[i].Licenses = cmp.Or(p.Images[i].Licenses, r.licenses)
	}
	untracked := r.untracked
	for _, platform := range p.Platforms {
		untracked = append(untracked, r.sources[platform].Untracked...)
	}
	if len(untracked) > 0 {
		r.resolved.MarkDirty(untracked[0])
	}
	if p.Dirty {
		r.Progress.Notice("the tree differs from the commit: " + p.DirtyFile)
	}
}

func (r *run) listPlatform(ctx context.Context, platform plan.Platform, units []*unit) error {
	key, err := r.sourcesKey(platform, units, func(u *unit) *examined { return u.before() })
	if err != nil {
		return err
	}
	recalled := true
	ask := func() (*sources, error) {
		recalled = false
		return r.askGo(ctx, platform)
	}
	var s *sources
	if key == "" {
		s, err = ask()
	} else {
		s, err = value(r, key, ask)
	}
	if err != nil {
		return err
	}
	s.recalled = recalled
	r.setListed(platform, s)
	return nil
}

func (r *run) listed(platform plan.Platform) *sources {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[platform]
}

func (r *run) setListed(platform plan.Platform, s *sources) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources[platform] = s
}

// relist is called when the compiler is done. Where it has made another binary
// than the one that recalled sources stand for, the go command is asked after all;
// and what is known now is kept for the next run.
func (r *run) relist(ctx context.Context, platform plan.Platform, units []*unit) error {
	s := r.listed(platform)
	for _, u := range units {
		if s.recalled && u.examined != u.before() {
			asked, err := r.askGo(ctx, platform)
			if err != nil {
				return err
			}
			r.setListed(platform, asked)
			s = asked
		}
	}
	if s.recalled {
		return nil
	}
	key, err := r.sourcesKey(platform, units, func(u *unit) *examined { return u.examined })
	if err != nil || key == "" {
		return err
	}
	_, err = value(r, key, func() (*sources, error) { return s, nil })
	return err
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
	s.Untracked, err = r.resolved.Untracked(ctx, listed)
	return s, err
}

// sourcesKey is everything that the sources of a platform depend on; empty where
// something of it is not known.
func (r *run) sourcesKey(platform plan.Platform, units []*unit, binary func(*unit) *examined) (string, error) {
	p := r.resolved.Plan
	state := r.resolved.TreeState
	if state == "" || len(units) == 0 {
		return "", nil
	}
	settings, err := json.Marshal(struct {
		plan.Toolchain
		plan.Build
		ModuleCache, Dir, State string
	}{p.Toolchain, p.Build, r.resolved.Go.Setting("GOMODCACHE"), r.resolved.Dir, state})
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("sources-%s-%s", platform, settings)
	for _, u := range units {
		if u.platform != platform {
			continue
		}
		b := binary(u)
		if b == nil {
			return "", nil
		}
		key += fmt.Sprintf("-%s-%s", u.image.Package, b.sha256)
	}
	return key, nil
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
