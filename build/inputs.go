package build

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// findInputs finds out which commit last touched what each image is made of, where
// digests are stable. The kit, the toolchain and Config are no inputs: they are in the
// plan, and change the image where they matter to it.
func (r *run) findInputs(ctx context.Context, found *findings) error {
	p := r.resolved.Plan
	if !p.StableDigests() {
		return nil
	}
	var dirty []string
	for _, d := range found.differences {
		dirty = append(dirty, d.File)
	}
	found.inputs = map[string]*plan.Inputs{}
	states := make([]*plan.Inputs, len(p.Images))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, img := range p.Images {
		g.Go(func() error {
			paths, err := r.inputPaths(img)
			if err == nil {
				states[i], err = r.resolved.State(ctx, paths, dirty)
			}
			if err != nil {
				return fmt.Errorf("image %s: %w", img.Name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, img := range p.Images {
		found.inputs[img.Name] = states[i]
	}
	return nil
}

// inputPaths are the files of the repository that an image is made of, for all the input
// platforms.
func (r *run) inputPaths(img plan.Image) (git.Paths, error) {
	p := r.resolved.Plan
	var paths git.Paths
	var folders, brought []string
	for _, platform := range p.InputPlatforms {
		s := r.listed(platform)
		in := s.Inputs[img.Package]
		if in.Outside != "" {
			return paths, fmt.Errorf("keep the digest stable, as Config.StableDigests asks: %s is compiled in and lies outside of the repository, so that its age is not known", in.Outside)
		}
		folders = append(folders, in.Folders...)
		brought = append(brought, in.Embedded...)
		paths.Add(in.Paths)
		licenses, err := r.licensePaths(s.Modules[img.Package])
		if err != nil {
			return paths, err
		}
		paths.Add(licenses)
	}
	copied, err := tree.AssetSources(r.resolved.Dir, img.CACertificates, img.Assets)
	if err != nil {
		return paths, err
	}
	if img.Base != plan.BaseScratch || len(img.Packages) > 0 {
		copied = append(copied, lock.File)
	}
	for _, name := range copied {
		rel, ok := r.resolved.Tree().InRepository(filepath.Join(r.resolved.Dir, filepath.FromSlash(name)))
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
	paths.Add(git.Paths{Except: testsIn(folders, brought)})
	return paths, nil
}

// testsIn are the tests in folders of packages: they are compiled into no image. They
// stay where they may be among what is embedded or copied.
func testsIn(folders, brought []string) []string {
	var tests []string
	for _, folder := range folders {
		if !slices.ContainsFunc(brought, func(pattern string) bool { return mayBring(pattern, folder) }) {
			tests = append(tests, path.Join(git.Quote(folder), "*_test.go"))
		}
	}
	return tests
}

// mayBring says whether a pattern, of a file or a folder, may match a test right in a
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

// licenseGlobs are how the names of licences and notices look, in lower case.
var licenseGlobs = []string{"*licen[cs]e*", "copying*", "copyleft*", "*notice*", "patents*", "copyright*"}

// licensePaths are the files from which the licences of modules in the repository are
// read: of the service's own, by their looks, so that one that is gone counts as well.
func (r *run) licensePaths(modules []golist.Module) (git.Paths, error) {
	var paths git.Paths
	for _, dir := range r.resolved.LicenseFolders() {
		if rel, ok := r.resolved.Tree().InRepository(dir); ok {
			for _, glob := range licenseGlobs {
				paths.CaseFold = append(paths.CaseFold, path.Join(strings.ToLower(git.Quote(rel)), glob))
			}
			paths.Names = append(paths.Names, path.Join(rel, license.Folder))
		}
	}
	seen := map[string]bool{}
	modcache := r.resolved.Go.Setting("GOMODCACHE") + string(filepath.Separator)
	for _, m := range modules {
		root, ok := r.resolved.Tree().InRepository(m.Dir)
		if !ok || strings.HasPrefix(m.Dir, modcache) {
			continue
		}
		for _, folder := range append(m.Packages, ".") {
			for ; !seen[path.Join(root, folder)]; folder = path.Dir(folder) {
				rel := path.Join(root, folder)
				seen[rel] = true
				entries, err := os.ReadDir(filepath.Join(m.Dir, filepath.FromSlash(folder)))
				if err != nil {
					return paths, fmt.Errorf("look for licences: %w", err)
				}
				for _, e := range entries {
					if !e.IsDir() && license.IsText(e.Name()) {
						paths.Names = append(paths.Names, path.Join(rel, e.Name()))
					}
				}
				if folder == "." {
					paths.Names = append(paths.Names, path.Join(rel, license.Folder))
					break
				}
			}
		}
	}
	return paths, nil
}
