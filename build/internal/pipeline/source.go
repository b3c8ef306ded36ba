package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// findings are what was found out about the source while it was compiled.
type findings struct {
	lists       materials.Lists
	files       materials.Files
	differences []source.Difference
	// licenses are those of the modules of each target, if images are made.
	licenses []materials.Licenses
	// generated are the files that Config.Before made, sorted by name.
	generated []plan.GeneratedFile
	// profiles are the default.pgo files of the main packages, sorted by name.
	profiles []plan.Profile
	// license is the service's licence. archived are the licence and README files for archives.
	// inputs are the states of the images' inputs by name, if digests are stable.
	license  string
	archived []archive.Entry
	inputs   map[string]*plan.Inputs
}

// with returns the findings in the form that finishes a plan. stamp is nil if nothing was compiled.
func (f *findings) with(stamp *compile.Stamp) resolve.Findings {
	all := resolve.Findings{Stamp: stamp, Generated: f.generated, Profiles: f.profiles,
		License: f.license, Inputs: f.inputs}
	if len(f.differences) > 0 {
		all.File, all.Cause = f.differences[0].File, f.differences[0].Why()
	}
	return all
}

// materials returns the source that the images are made of.
func (b *builder) materials() materials.Source {
	s := materials.Source{
		Draft: b.Draft, Folder: b.Workspace.Folder, Version: b.Workspace.CacheVersion,
		Locked: b.Extras != nil && b.lockExists(),
	}
	if !b.Workspace.HashAll {
		s.Sums = b.Workspace.Cache
	}
	return s
}

// lockExists reports whether the repository has a lock file; debug images do not require one.
func (b *builder) lockExists() bool {
	_, err := os.Lstat(filepath.Join(b.Draft.Dir, lock.File))
	return err == nil
}

// list finds out what is compiled for each platform, the licences of the targets and of the
// service, and whether everything that goes into the images is equal to the commit. It runs while
// the compiler runs. earlier are lists that may still be valid; without one, the last run's are
// used.
//
// Licences and the files of archives are read after their stat data was taken, so that
// copiedUnchanged detects every change between the comparison and that.
func (b *builder) list(ctx context.Context, targets []artifact.Target,
	earlier materials.Lists) (*findings, error) {
	found := &findings{lists: materials.Lists{}, licenses: make([]materials.Licenses, len(targets))}
	err := b.Session.Stage("compare sources", func() (string, error) {
		from, memo := b.materials(), b.Workspace.LicenseMemo(b.Session)
		var mu sync.Mutex
		g, gctx := errgroup.WithContext(ctx)
		for _, platform := range from.Platforms() {
			g.Go(func() error {
				list, err := from.List(gctx, platform, earlier[platform])
				mu.Lock()
				defer mu.Unlock()
				found.lists[platform] = list
				return err
			})
		}
		var commit *source.Commit
		g.Go(func() (err error) {
			commit, err = b.Draft.Commit(gctx)
			return err
		})
		if err := g.Wait(); err != nil {
			return "", err
		}
		var err error
		if found.files, err = from.Files(ctx, found.lists, commit); err != nil {
			return "", err
		}
		g, gctx = errgroup.WithContext(ctx)
		g.Go(func() (err error) {
			found.differences, err = from.Differences(gctx, found.files, commit)
			return err
		})
		g.Go(func() (err error) {
			found.profiles, err = from.Profiles(gctx, found.lists)
			return err
		})
		g.Go(func() (err error) {
			found.license, err = from.OwnLicense(gctx, memo)
			return err
		})
		g.Go(func() (err error) {
			found.archived, err = found.files.ReadArchived(gctx)
			return err
		})
		std := license.Standard(b.Draft.Go.Root, b.Draft.Plan.Toolchain.Version)
		for platform, list := range found.lists {
			g.Go(func() (err error) {
				for _, i := range on(targets, platform) {
					var programs [][]golist.Module
					for _, main := range golist.Mains(b.Draft.Plan, targets[i].Image) {
						programs = append(programs, list.Modules[main.Key()])
					}
					modules := golist.Union(programs...)
					if found.licenses[i], err = materials.ScanLicenses(gctx, std, modules,
						b.Workspace.Modules, memo); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return "", err
		}
		if err := b.splitGenerated(found); err != nil {
			return "", err
		}
		if b.Decided {
			if err := undecided(b.Draft, found.lists); err != nil {
				return "", err
			}
		}
		found.inputs, err = from.States(ctx, found.lists, found.differences)
		return "", err
	})
	return found, err
}

// splitGenerated separates the files that Config.Before made from the other differences.
func (b *builder) splitGenerated(found *findings) error {
	var record generated.Record
	found.differences, found.generated, record = b.Standing.Split(found.differences)
	if len(found.generated) == 0 {
		return nil
	}
	if b.Session.Config.RefuseGenerated {
		return fmt.Errorf(
			"Config.Before makes %s, which is in no commit, and Config.RefuseGenerated is set; commit it",
			found.generated[0].Name)
	}
	return generated.Remember(b.Session, record)
}

// Plan returns the plan of a request without compiling. Values that are read from a binary are not
// in it.
func Plan(ctx context.Context, req Request) (*plan.Plan, error) {
	b := &builder{Request: req}
	found, err := b.list(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	p, _, err := req.Draft.Finish(found.with(nil))
	if err != nil {
		return nil, err
	}
	b.noticeSource(p)
	return p, nil
}

// noticeSource tells the user what is in no commit.
func (b *builder) noticeSource(p *plan.Plan) {
	if p.Dirty {
		b.Session.Progress.Notice("the tree differs from the commit: " + Dirt(p))
	}
	if text := p.GeneratedText(); text != "" {
		b.Session.Progress.Notice(text + ", made by Config.Before")
	}
}

// Dirt returns the file that makes the tree of a plan dirty, and why.
func Dirt(p *plan.Plan) string {
	if p.DirtyCause == "" {
		return p.DirtyFile
	}
	return p.DirtyFile + ": " + p.DirtyCause
}
