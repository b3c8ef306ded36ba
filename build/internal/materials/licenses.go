package materials

import (
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
)

// licenseFiles returns the files in the repository from which licences are read.
func (s Source) licenseFiles(lists Lists) ([]string, error) {
	var files []string
	add := func(dir string) error {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("look for licences: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && license.IsText(e.Name()) {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
		return nil
	}
	for _, dir := range s.Resolved.LicenseFolders() {
		if err := add(dir); err != nil {
			return nil, err
		}
	}
	for _, platform := range s.Platforms() {
		for _, modules := range lists[platform].Modules {
			paths, err := s.licensePaths(modules)
			if err != nil {
				return nil, err
			}
			for _, name := range paths.Names {
				err := filepath.WalkDir(s.Resolved.InWorkingTree(name), func(file string, d fs.DirEntry, err error) error {
					switch {
					case err != nil && os.IsNotExist(err):
						return nil // a licence folder that does not exist
					case err == nil && !d.IsDir():
						files = append(files, file)
					}
					return err
				})
				if err != nil {
					return nil, fmt.Errorf("look for licences: %w", err)
				}
			}
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
	for _, dir := range s.Resolved.LicenseFolders() {
		if rel, ok := s.Resolved.Tree().InRepository(dir); ok {
			for _, glob := range licenseGlobs {
				paths.CaseFold = append(paths.CaseFold, path.Join(strings.ToLower(git.Quote(rel)), glob))
			}
			paths.Names = append(paths.Names, path.Join(rel, license.Folder))
		}
	}
	seen := map[string]bool{}
	modcache := s.Resolved.Go.Setting("GOMODCACHE") + string(filepath.Separator)
	for _, m := range modules {
		root, ok := s.Resolved.Tree().InRepository(m.Dir)
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
