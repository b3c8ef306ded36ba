package materials

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/source"
)

// licenseFiles returns the files in the repository from which licences are read. It includes
// missing files of the commit.
func (s Source) licenseFiles(ctx context.Context, lists Lists, commit *source.Commit) ([]string, error) {
	roots := s.Draft.LicenseFolders()
	folders := slices.Clone(roots)
	for _, platform := range s.Platforms() {
		for _, modules := range lists[platform].Modules {
			ofModules, rootsOfModules := s.moduleFolders(modules)
			for _, name := range ofModules {
				folders = append(folders, s.Draft.InWorkingTree(name))
			}
			for _, name := range rootsOfModules {
				roots = append(roots, s.Draft.InWorkingTree(name))
			}
		}
	}
	var files []string
	gone := func(dir string, deep bool) error {
		if commit == nil {
			return nil
		}
		tracked, err := commit.Files(ctx, dir, deep)
		for _, file := range tracked {
			if (deep || license.IsText(filepath.Base(file))) && source.Gone(file) {
				files = append(files, file)
			}
		}
		return err
	}
	slices.Sort(folders)
	for _, dir := range slices.Compact(folders) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("look for licences: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && license.IsText(e.Name()) {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
		if err := gone(dir, false); err != nil {
			return nil, err
		}
	}
	slices.Sort(roots)
	for _, root := range slices.Compact(roots) {
		texts := filepath.Join(root, license.Folder)
		err := filepath.WalkDir(texts, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil && os.IsNotExist(err):
				return nil // a licence folder that does not exist
			case err == nil && !d.IsDir():
				files = append(files, file)
			}
			return cmp.Or(err, context.Cause(ctx))
		})
		if err != nil {
			return nil, fmt.Errorf("look for licences: %w", err)
		}
		if err := gone(texts, true); err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// licenseGlobs match the names of licences and notices, in lower case.
var licenseGlobs = []string{"*licen[cs]e*", "copying*", "copyleft*", "*notice*", "patents*", "copyright*"}

// licensePaths returns the files from which the licences of modules in the repository are read.
// Those of the service are found by name pattern, so that missing files count too.
func (s Source) licensePaths(modules []golist.Module) (git.Paths, error) {
	var paths git.Paths
	for _, dir := range s.Draft.LicenseFolders() {
		if rel, ok := s.Draft.Tree().InRepository(dir); ok {
			for _, glob := range licenseGlobs {
				paths.CaseFold = append(paths.CaseFold, path.Join(strings.ToLower(git.Quote(rel)), glob))
			}
			paths.Names = append(paths.Names, path.Join(rel, license.Folder))
		}
	}
	folders, roots := s.moduleFolders(modules)
	for _, rel := range folders {
		entries, err := os.ReadDir(s.Draft.InWorkingTree(rel))
		if err != nil {
			return paths, fmt.Errorf("look for licences: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && license.IsText(e.Name()) {
				paths.Names = append(paths.Names, path.Join(rel, e.Name()))
			}
		}
	}
	for _, rel := range roots {
		paths.Names = append(paths.Names, path.Join(rel, license.Folder))
	}
	return paths, nil
}

// moduleFolders returns the folders of the repository in which licences of linked modules can
// be, by their names in the repository: those of the packages and all above, up to the roots of
// the modules.
func (s Source) moduleFolders(modules []golist.Module) (folders, roots []string) {
	seen := map[string]bool{}
	modcache := s.Draft.Go.Setting("GOMODCACHE") + string(filepath.Separator)
	for _, m := range modules {
		root, ok := s.Draft.Tree().InRepository(m.Dir)
		if !ok || strings.HasPrefix(m.Dir, modcache) {
			continue
		}
		for _, folder := range append(slices.Clone(m.Packages), ".") {
			for ; !seen[path.Join(root, folder)]; folder = path.Dir(folder) {
				rel := path.Join(root, folder)
				seen[rel] = true
				folders = append(folders, rel)
				if folder == "." {
					roots = append(roots, rel)
					break
				}
			}
		}
	}
	return folders, roots
}
