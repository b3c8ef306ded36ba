package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// sources are what the go command says is compiled for one platform.
type sources struct {
	// Modules are the linked modules by main package.
	Modules map[string][]golist.Module
	// Inputs are those of each main package, where digests are stable.
	Inputs map[string]golist.Inputs
	// Compiled is what was read of working trees, Seen what the list depends on.
	Compiled golist.Compiled
	Seen     golist.Seen
}

// findings are what was found out of the source while it was compiled.
type findings struct {
	// compiled are the absolute paths of what is compiled and embedded, copied those of what
	// is copied; copiedBefore is the stat data of these before they were compared.
	compiled, copied []string
	copiedBefore     source.Snapshot
	// differences are those of all these files that are not as the commit has them.
	differences []source.Difference
	// generated are the files that Config.Before made, in the order of their names.
	generated []plan.GeneratedFile
	// executable says which copied files are executable in the commit, by their paths
	// relative to the module's folder.
	executable map[string]bool
	// licenses is the service's own licence; inputs are the states of the images' inputs by
	// name, where digests are stable.
	licenses string
	inputs   map[string]*plan.Inputs
}

// list finds out what is compiled for each platform, the licences of that and of the
// service itself, and whether all that goes into the images is as the commit has it.
//
// The go command is asked only when something has changed that its list depends on, and
// then beside the compiler.
func (r *run) list(ctx context.Context, units []*unit) (*findings, error) {
	found := &findings{}
	err := r.Stage("compare sources", func() (string, error) {
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
		if err := r.compareSource(ctx, commit, found); err != nil {
			return "", err
		}
		return "", r.findInputs(ctx, found)
	})
	return found, err
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

// listPlatform takes the list of an earlier run if it still holds, else asks the go command.
func (r *run) listPlatform(ctx context.Context, platform plan.Platform) error {
	s, err := r.readList(platform)
	if err != nil {
		return err
	}
	if s != nil {
		same, err := s.Seen.Same(ctx, s.Compiled)
		if err != nil {
			return err
		}
		if !same {
			s = nil
		}
	}
	if s == nil {
		if s, err = r.askGo(ctx, platform); err != nil {
			return err
		}
		if err := r.writeList(platform, s); err != nil {
			return err
		}
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
	listed, err := golist.List(ctx, r.resolved.Tree(), platform)
	if err != nil {
		return nil, err
	}
	s := &sources{Modules: map[string][]golist.Module{}}
	for _, img := range r.resolved.Plan.Images {
		s.Modules[img.Package] = listed.Modules(img.Package)
	}
	if r.resolved.Plan.StableDigests() {
		s.Inputs = map[string]golist.Inputs{}
		for _, img := range r.resolved.Plan.Images {
			if s.Inputs[img.Package], err = listed.Inputs(img.Package); err != nil {
				return nil, err
			}
		}
	}
	if s.Compiled, err = listed.Compiled(); err != nil {
		return nil, err
	}
	s.Seen, err = s.Compiled.See(ctx)
	return s, err
}

// keptList is a list in the compiler's folder. Key says what it was asked for.
type keptList struct {
	Key     string
	Sources *sources
}

func (r *run) listFile(platform plan.Platform) string {
	return filepath.Join(r.workFolder(), "sources", platform.Key()+".json")
}

// listKey is everything that a list depends on besides the files.
func (r *run) listKey(platform plan.Platform) (string, error) {
	p := r.resolved.Plan
	var packages, cgo []string
	for _, img := range p.Images {
		packages = append(packages, img.Package)
		if img.Cgo {
			cgo = append(cgo, img.Package)
		}
	}
	key, err := json.Marshal(struct {
		Salt             string
		Platform         plan.Platform
		Toolchain        plan.Toolchain
		Tags             []string
		Packages, Cgo    []string
		ModuleCache, Dir string
		Stable           bool
	}{r.cacheVersion, platform, p.Toolchain, p.Build.Tags, packages, cgo, r.resolved.Go.Setting("GOMODCACHE"), r.resolved.Dir, p.StableDigests()})
	return string(key), err
}

// readList is the list that an earlier run has kept; nil if there is none for the same
// question, or if it is not whole. It may not hold any more.
func (r *run) readList(platform plan.Platform) (*sources, error) {
	key, err := r.listKey(platform)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(r.listFile(platform))
	if err != nil {
		return nil, nil // it is made again, and an error there is one
	}
	sum, list, _ := bytes.Cut(content, []byte("\n"))
	if hash := sha256.Sum256(list); hex.EncodeToString(hash[:]) != string(sum) {
		return nil, nil
	}
	var kept keptList
	if err := json.Unmarshal(list, &kept); err != nil || kept.Key != key {
		return nil, nil
	}
	return kept.Sources, nil
}

func (r *run) writeList(platform plan.Platform, s *sources) error {
	key, err := r.listKey(platform)
	if err != nil {
		return err
	}
	list, err := json.Marshal(keptList{key, s})
	if err != nil {
		return err
	}
	file := r.listFile(platform)
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
		sum := sha256.Sum256(list)
		err = atomicfile.Write(file, fmt.Appendf(nil, "%x\n%s", sum, list), 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep the list of sources: %w", err)
	}
	return nil
}
