package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// compareSource compares everything that is compiled, embedded or copied with the commit;
// nothing where there is no git.
func (r *run) compareSource(ctx context.Context, commit *source.Commit, found *findings) error {
	compiled, err := r.compiledFiles(ctx, commit)
	if err != nil {
		return err
	}
	copied, err := r.copiedFiles(ctx, commit, found)
	if err != nil {
		return err
	}
	texts, err := r.licenseFiles()
	if err != nil {
		return err
	}
	for _, text := range texts {
		copied = append(copied, source.File{Path: text})
	}
	found.compiled, found.copied = paths(compiled), paths(copied)
	if found.copiedBefore, err = source.Take(found.copied); err != nil || commit == nil {
		return err
	}
	var store filesum.Store
	if !r.hashAll {
		store = r.cache
	}
	if found.differences, err = commit.Compare(ctx, slices.Concat(compiled, copied), store); err != nil {
		return err
	}
	found.differences = slices.DeleteFunc(found.differences, func(d source.Difference) bool {
		entries, err := os.ReadDir(d.Path) // of a folder, its files are differences of their own
		return d.Kind == source.Untracked && d.Path != "" && err == nil && len(entries) > 0
	})
	return r.splitGenerated(found)
}

// paths are those of files, sorted.
func paths(files []source.File) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Path
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// compiledFiles are those of all platforms, and those that are gone.
func (r *run) compiledFiles(ctx context.Context, commit *source.Commit) ([]source.File, error) {
	var names []string
	for _, platform := range r.listedPlatforms() {
		c := r.listed(platform).Compiled
		names = append(names, c.Files...)
		if commit != nil {
			gone, err := c.Gone(ctx, commit, platform, r.resolved.Plan.Build.Tags)
			if err != nil {
				return nil, err
			}
			names = append(names, gone...)
		}
		below, err := c.Below(ctx, r.resolved.Tree(), commit)
		if err != nil {
			return nil, err
		}
		names = append(names, below...)
	}
	slices.Sort(names)
	var files []source.File
	for _, name := range slices.Compact(names) {
		files = append(files, source.File{Path: name})
	}
	return files, nil
}

// copiedFiles are those of the assets, the CA certificates and the lock file, and those of
// the assets' folders that are gone.
func (r *run) copiedFiles(ctx context.Context, commit *source.Commit, found *findings) ([]source.File, error) {
	dir := r.resolved.Dir
	var files []source.File
	var names []string
	for _, img := range r.resolved.Plan.Images {
		assets, err := tree.AssetFiles(dir, img.CACertificates, img.Assets)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		for _, a := range assets {
			file := filepath.Join(dir, filepath.FromSlash(a.Name))
			files, names = append(files, source.File{Path: file, Link: a.Link, Asset: true}), append(names, file)
		}
		if commit != nil {
			sources, err := tree.AssetSources(dir, nil, img.Assets)
			if err != nil {
				return nil, fmt.Errorf("image %s: %w", img.Name, err)
			}
			for _, s := range sources {
				tracked, err := commit.Files(ctx, filepath.Join(dir, filepath.FromSlash(s)), true)
				if err != nil {
					return nil, err
				}
				for _, file := range tracked {
					if source.Gone(file) {
						files = append(files, source.File{Path: file, Link: true})
					}
				}
			}
		}
		if img.Base != plan.BaseScratch || len(img.Packages) > 0 || r.debug != nil {
			files = append(files, source.File{Path: filepath.Join(dir, lock.File)})
		}
	}
	if commit == nil {
		return files, nil
	}
	modes, err := commit.Executable(ctx, names)
	if err != nil {
		return nil, err
	}
	found.executable = map[string]bool{}
	for file, is := range modes {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return nil, err
		}
		found.executable[filepath.ToSlash(rel)] = is
	}
	return files, nil
}

// licenseFiles are the texts in the repository from which licences are read.
func (r *run) licenseFiles() ([]string, error) {
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
	for _, dir := range r.resolved.LicenseFolders() {
		if err := add(dir); err != nil {
			return nil, err
		}
	}
	for _, platform := range r.listedPlatforms() {
		for _, modules := range r.listed(platform).Modules {
			paths, err := r.licensePaths(modules)
			if err != nil {
				return nil, err
			}
			for _, name := range paths.Names {
				err := filepath.WalkDir(r.resolved.InWorkingTree(name), func(file string, d fs.DirEntry, err error) error {
					switch {
					case err != nil && os.IsNotExist(err):
						return nil // a folder of licences that there is not
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
