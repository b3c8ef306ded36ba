package materials

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// States returns, by image name, the last commit that changed the image's inputs; nil if
// digests are not stable. Thimble, the toolchain and Config are not inputs: they are in the
// plan, and change the image if they affect it.
func (s Source) States(ctx context.Context, lists Lists,
	differences []source.Difference) (map[string]*plan.Inputs, error) {
	p := s.Draft.Plan
	if !p.StableDigests() {
		return nil, nil
	}
	var dirty []string
	for _, d := range differences {
		dirty = append(dirty, d.File)
	}
	states := make([]*plan.Inputs, len(p.Images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, img := range p.Images {
		g.Go(func() error {
			paths, err := s.inputPaths(ctx, lists, img)
			if err == nil {
				states[i], err = s.Draft.State(ctx, paths, dirty)
			}
			if err != nil {
				return fmt.Errorf("image %s: %w", img.Name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	named := map[string]*plan.Inputs{}
	for i, img := range p.Images {
		named[img.Name] = states[i]
	}
	return named, nil
}

// inputPaths returns the files of the repository that an image is made of, for all input
// platforms.
func (s Source) inputPaths(ctx context.Context, lists Lists, img plan.Image) (git.Paths, error) {
	p := s.Draft.Plan
	var paths git.Paths
	var folders, brought []string
	var compiled []golist.Inputs
	outside := func(file string) (git.Paths, error) {
		return paths, fmt.Errorf(
			"keep the digest stable, for Config.StableDigests: %s is compiled in but is outside of the "+
				"repository, so its age is not known", file)
	}
	for _, platform := range p.InputPlatforms {
		l := lists[platform]
		for _, main := range golist.Mains(p, img) {
			in := l.Inputs[main.Key()]
			if in.Outside != "" {
				return outside(in.Outside)
			}
			compiled = append(compiled, in)
			folders = append(folders, in.Folders...)
			brought = append(brought, in.Embedded...)
			paths.Add(in.Paths)
			licenses, err := s.licensePaths(l.Modules[main.Key()])
			if err != nil {
				return paths, err
			}
			paths.Add(licenses)
		}
	}
	included, file, err := golist.CInputs(ctx, s.Draft.Tree(), compiled)
	if err != nil {
		return paths, err
	}
	if file != "" {
		return outside(file)
	}
	paths.Add(included)
	brought = append(brought, included.Globs...) // C may include tests too
	copied, err := tree.AssetSources(s.Draft.Dir, img.CACertificates, img.Assets)
	if err != nil {
		return paths, err
	}
	if img.Base != plan.BaseScratch || len(img.Packages) > 0 {
		copied = append(copied, lock.File)
	}
	for _, name := range copied {
		rel, ok := s.Draft.Tree().InRepository(filepath.Join(s.Draft.Dir, filepath.FromSlash(name)))
		switch {
		case !ok:
			return paths, fmt.Errorf("%s is not in the repository", name)
		case rel == ".":
			paths.Add(git.Paths{Globs: []string{"*", "*/**"}})
		default:
			paths.Add(git.Paths{Names: []string{rel}})
		}
		brought = append(brought, rel)
	}
	patterns, err := tree.AssetPatterns(s.Draft.Dir, img.Assets)
	if err != nil {
		return paths, err
	}
	for _, pattern := range patterns { // files that a commit removed are inputs too
		if rel, ok := s.Draft.Tree().InRepository(s.Draft.Dir); ok {
			glob := path.Join(git.Quote(rel), pattern)
			paths.Add(git.Paths{Globs: []string{glob, glob + "/**"}})
			brought = append(brought, path.Join(rel, pattern))
		}
	}
	paths.Add(git.Paths{Except: testsIn(folders, brought)})
	return paths, nil
}

// testsIn returns the tests in folders of packages: they are compiled into no image. It omits
// tests that may be embedded or copied.
func testsIn(folders, brought []string) []string {
	var tests []string
	for _, folder := range folders {
		if !slices.ContainsFunc(brought, func(pattern string) bool { return mayBring(pattern, folder) }) {
			tests = append(tests, path.Join(git.Quote(folder), "*_test.go"))
		}
	}
	return tests
}

// mayBring reports whether a pattern, of a file or a folder, may match a test directly in a
// folder.
func mayBring(pattern, folder string) bool {
	elements := strings.Split(pattern, "/")
	known := slices.IndexFunc(elements, func(e string) bool { return strings.ContainsAny(e, `*?[\`) })
	above := pattern
	if known >= 0 {
		above = path.Join(elements[:known]...)
	} else if path.Dir(pattern) == folder && strings.HasSuffix(pattern, "_test.go") {
		return true
	}
	return above == "" || above == "." || folder == above || strings.HasPrefix(folder, above+"/")
}
