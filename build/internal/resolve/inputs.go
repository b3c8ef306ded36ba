package resolve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Inputs are what one main package is compiled from on one platform, as far as it lies in
// the repository. The standard library is the toolchain's, and the module cache go.sum's.
type Inputs struct {
	// Folders are those of the packages, relative to the repository's root.
	Folders []string
	// Embedded are the patterns of embedded files, relative to that root as well.
	Embedded []string
	// Paths are sources, embedded files, and what says which modules there are.
	Paths git.Paths
	// Outside is a folder of a package that lies in neither; "" if there is none.
	Outside string
}

// Inputs finds them. Files that are gone count as well: a folder's sources are named by
// their ending, embedded files by the pattern that embeds them.
func (r *Resolved) Inputs(s *Sources, main string) (Inputs, error) {
	var in Inputs
	name := func(names ...string) error {
		for _, n := range names {
			rel, ok := r.InRepository(n)
			if !ok {
				return fmt.Errorf("find the inputs of %s: %s is not in the repository, and Config.StableDigests needs to know its age", main, n)
			}
			in.Paths.Add(git.Paths{Names: []string{rel}})
		}
		return nil
	}
	modules := []string{r.Dir}
	for _, p := range s.reach(main) {
		if p.fetched(r.Go.Setting("GOMODCACHE")) {
			continue
		}
		folder, ok := r.InRepository(p.Dir)
		if !ok {
			in.Outside = p.Dir
			continue
		}
		in.Folders = append(in.Folders, folder)
		for _, kind := range p.kinds() {
			in.Paths.Globs = append(in.Paths.Globs, path.Join(git.Quote(folder), "*"+kind))
		}
		if len(p.CgoFiles) > 0 { // C includes whatever lies there
			in.Paths.Globs = append(in.Paths.Globs, path.Join(git.Quote(folder), "**"))
		}
		files, err := included(p.assembly())
		if err != nil {
			return in, err
		}
		for _, file := range files {
			if rel, ok := r.InRepository(file); ok {
				in.Paths.Names = append(in.Paths.Names, rel)
			} else if _, err := os.Stat(file); err == nil {
				in.Outside = file
			}
		}
		for _, pattern := range p.EmbedPatterns {
			pattern = strings.TrimPrefix(pattern, "all:")
			in.Embedded = append(in.Embedded, path.Join(folder, pattern))
			glob := path.Join(git.Quote(folder), pattern)
			in.Paths.Globs = append(in.Paths.Globs, glob, glob+"/**")
		}
		if p.ImportPath == main { // which alone has a profile, and need not have one
			if err := name(filepath.Join(p.Dir, "default.pgo")); err != nil {
				return in, err
			}
		}
		if p.Module != nil && p.Module.GoMod != "" {
			modules = append(modules, filepath.Dir(p.Module.GoMod))
		}
	}
	if r.Plan.Toolchain.Mod == "vendor" {
		vendor := r.Dir
		if r.Go.Work != "" {
			vendor = filepath.Dir(r.Go.Work)
		}
		if err := name(filepath.Join(vendor, "vendor", "modules.txt")); err != nil {
			return in, err
		}
	}
	if r.Go.Work != "" {
		used, err := workspace(r.Go.Work)
		if err != nil {
			return in, err
		}
		modules = append(modules, used...)
		if err := name(r.Go.Work, r.Go.Work+".sum"); err != nil {
			return in, err
		}
	}
	for _, dir := range modules {
		if err := name(filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum")); err != nil {
			return in, err
		}
	}
	slices.Sort(in.Folders)
	in.Folders = slices.Compact(in.Folders)
	in.Paths.Add(git.Paths{})
	return in, nil
}

// InRepository is a path relative to the repository's root, with slashes, if it is there.
func (r *Resolved) InRepository(file string) (string, bool) {
	if r.repo == nil {
		return "", false
	}
	rel, err := filepath.Rel(r.repo.Root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// kinds are the endings of the sources in the package's folder.
func (p *listed) kinds() []string {
	kinds := []string{".go"}
	for _, files := range [][]string{p.SFiles, p.HFiles, p.SysoFiles} {
		for _, f := range files {
			kinds = append(kinds, path.Ext(f))
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// reach are the packages outside the standard library that a main package links.
func (s *Sources) reach(main string) []*listed {
	var found []*listed
	seen := map[string]bool{}
	list := s.of(main)
	var visit func(path string)
	visit = func(path string) {
		p := list[path]
		if p == nil || p.Standard || seen[path] {
			return
		}
		seen[path] = true
		found = append(found, p)
		for _, imp := range p.Imports {
			if mapped, ok := p.ImportMap[imp]; ok {
				imp = mapped
			}
			visit(imp)
		}
	}
	visit(main)
	return found
}

// workspace are the folders of a workspace's modules, absolute: together they decide
// which versions are linked.
func workspace(file string) ([]string, error) {
	work, err := readWork(file)
	if err != nil {
		return nil, err
	}
	return used(file, work), nil
}

func readWork(file string) (*modfile.WorkFile, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the workspace: %w", err)
	}
	work, err := modfile.ParseWork(file, b, nil)
	if err != nil {
		return nil, fmt.Errorf("read the workspace: %w", err)
	}
	return work, nil
}

func used(file string, work *modfile.WorkFile) (dirs []string) {
	for _, use := range work.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// mayBeStable refuses what would make an image's digest depend on more than its inputs.
func (r *Resolved) mayBeStable(state git.State, none error) error {
	const of = "keep digests stable, as Config.StableDigests asks: "
	switch {
	case none != nil:
		return fmt.Errorf(of+"the commits that touched an image's inputs are not known: %w", none)
	case state.Revision == "":
		return errors.New(of + "the git repository has no commit yet; commit first")
	case state.Shallow:
		return errors.New(of + "the clone is shallow, so that the last commits that touched an image's inputs may be missing; git fetch --unshallow")
	}
	short := state.Revision[:min(7, len(state.Revision))]
	for _, flag := range r.ldflags {
		if !r.expanded && strings.Contains(flag, "{{") || strings.Contains(flag, short) {
			return fmt.Errorf(of+"the linker flag %q of Config.LDFlags follows from the commit, and would change every binary with it; leave it out, or StableDigests", flag)
		}
	}
	if r.dated {
		r.notice("SOURCE_DATE_EPOCH is the date of every image: their digests change whenever it does")
	}
	return nil
}

// inputPlatforms are those of Config and those of this run: what is made for one platform
// has the same digest whatever else is made.
func (r *Resolved) inputPlatforms(names []string) error {
	all := slices.Clone(r.Plan.Platforms)
	for _, name := range names {
		p, err := r.platform(name)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b plan.Platform) int { return strings.Compare(a.Key(), b.Key()) })
	r.Plan.InputPlatforms = slices.Compact(all)
	return nil
}

// State finds out what state an image's inputs are in. Dirty are the files that differ
// from the commit, of all images.
func (r *Resolved) State(ctx context.Context, paths git.Paths, dirty []string) (*plan.Inputs, error) {
	revision, when, err := r.repo.Newest(ctx, paths)
	if err != nil {
		return nil, err
	}
	in := &plan.Inputs{Revision: revision, Version: unknown, SourceDateEpoch: when.Unix()}
	if revision == "" {
		in.SourceDateEpoch = 0
	} else {
		_, major, _ := module.SplitPathVersion(r.Plan.Module.Path)
		in.Version = module.PseudoVersion(module.PathMajorPrefix(major), "", when, revision[:12])
	}
	if r.dated {
		in.SourceDateEpoch = r.Plan.SourceDateEpoch
	}
	if i := slices.IndexFunc(dirty, paths.Match); i >= 0 {
		in.DirtyFile = dirty[i]
		if revision != "" {
			in.Version += "+dirty"
		}
	}
	return in, nil
}

// InWorkingTree is the absolute path of a file that InRepository has named.
func (r *Resolved) InWorkingTree(name string) string {
	return filepath.Join(r.repo.Root, filepath.FromSlash(name))
}

// Commit reads what the revision holds; nil where there is no git.
func (r *Resolved) Commit(ctx context.Context) (*source.Commit, error) {
	if r.repo == nil {
		return nil, nil
	}
	return source.Read(ctx, r.repo, r.Plan.Revision)
}
