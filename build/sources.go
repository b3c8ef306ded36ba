package build

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// findings are what was found out about the source while it was compiled.
type findings struct {
	lists    materials.Lists
	compared materials.Comparison
	// generated are the files that Config.Before made, sorted by name.
	generated []plan.GeneratedFile
	// licenses is the service's licence. inputs are the states of the images' inputs by name,
	// if digests are stable.
	licenses string
	inputs   map[string]*plan.Inputs
}

// materials returns the source that the images are made of.
func (r *run) materials() materials.Source {
	s := materials.Source{
		Resolved: r.resolved, Folder: filepath.Join(r.workFolder(), "sources"), Version: r.cacheVersion,
		Locked: r.debug != nil,
	}
	if !r.hashAll {
		s.Sums = r.cache
	}
	return s
}

// list finds out what is compiled for each platform, its licences and those of the service, and
// whether everything that goes into the images is equal to the commit. It runs while the
// compiler runs.
func (r *run) list(ctx context.Context, units []*unit) (*findings, error) {
	found := &findings{lists: materials.Lists{}}
	err := r.Stage("compare sources", func() (string, error) {
		from := r.materials()
		var mu sync.Mutex
		g, gctx := errgroup.WithContext(ctx)
		for _, platform := range from.Platforms() {
			g.Go(func() error {
				list, err := from.List(gctx, platform)
				if err != nil {
					return err
				}
				mu.Lock()
				found.lists[platform] = list
				mu.Unlock()
				for _, u := range unitsFor(units, platform) {
					if err := r.findLicenses(gctx, u, list.Modules[u.image.Package]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		g.Go(func() (err error) {
			found.licenses, err = r.ownLicenses(gctx)
			return err
		})
		var commit *source.Commit
		g.Go(func() (err error) {
			commit, err = r.resolved.Commit(gctx)
			return err
		})
		if err := g.Wait(); err != nil {
			return "", err
		}
		var err error
		if found.compared, err = from.Compare(ctx, found.lists, commit); err != nil {
			return "", err
		}
		if err := r.splitGenerated(found); err != nil {
			return "", err
		}
		found.inputs, err = from.States(ctx, found.lists, found.compared.Differences)
		return "", err
	})
	return found, err
}

// splitGenerated separates the files that Config.Before made from the other differences.
func (r *run) splitGenerated(found *findings) error {
	var record generated.Record
	found.compared.Differences, found.generated, record = r.stood.Split(found.compared.Differences)
	if len(found.generated) == 0 {
		return nil
	}
	if r.Config.RefuseGenerated {
		return fmt.Errorf("%s is made by Config.Before, and no commit has it, which Config.RefuseGenerated refuses; commit it", found.generated[0].Name)
	}
	return generated.Remember(r.Session, record)
}

// noticeGenerated tells the user which files are in no commit.
func (r *run) noticeGenerated() {
	if text := r.resolved.Plan.GeneratedText(); text != "" {
		r.Progress.Notice(text + ", made by Config.Before")
	}
}
