package materials

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Comparison is the result of comparing what goes into the images with the commit.
type Comparison struct {
	// Compiled are the absolute paths of compiled and embedded files, Copied those of copied
	// files. CopiedBefore is the stat data of Copied before the comparison.
	Compiled, Copied []string
	CopiedBefore     source.Snapshot
	// Differences are those of all these files that differ from the commit.
	Differences []source.Difference
	// Executable are the copied files that are executable in the commit, by their paths
	// relative to the module's folder.
	Executable map[string]bool
}

// Compare compares everything that is compiled, embedded or copied with the commit. The commit
// is nil without git: then there are no differences.
func (s Source) Compare(ctx context.Context, lists Lists, commit *source.Commit) (Comparison, error) {
	var c Comparison
	compiled, err := s.compiledFiles(ctx, lists, commit)
	if err != nil {
		return c, err
	}
	copied, names, err := s.copiedFiles(ctx, commit)
	if err != nil {
		return c, err
	}
	if c.Executable, err = s.executable(ctx, commit, names); err != nil {
		return c, err
	}
	texts, err := s.licenseFiles(lists)
	if err != nil {
		return c, err
	}
	for _, text := range texts {
		copied = append(copied, source.File{Path: text})
	}
	c.Compiled, c.Copied = paths(compiled), paths(copied)
	if c.CopiedBefore, err = source.Take(c.Copied); err != nil || commit == nil {
		return c, err
	}
	if c.Differences, err = commit.Compare(ctx, slices.Concat(compiled, copied), s.Sums); err != nil {
		return c, err
	}
	c.Differences = slices.DeleteFunc(c.Differences, func(d source.Difference) bool {
		entries, err := os.ReadDir(d.Path) // the files of a folder are separate differences
		return d.Kind == source.Untracked && d.Path != "" && err == nil && len(entries) > 0
	})
	return c, nil
}

// paths returns the paths of files, sorted.
func paths(files []source.File) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Path
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// compiledFiles returns the compiled files of all platforms, including missing ones.
func (s Source) compiledFiles(ctx context.Context, lists Lists, commit *source.Commit) ([]source.File, error) {
	var names []string
	var all []golist.Compiled
	for _, platform := range s.Platforms() {
		c := lists[platform].Compiled
		all, names = append(all, c), append(names, c.Files...)
		if commit != nil {
			gone, err := c.Gone(ctx, commit, platform, s.Resolved.Plan.Build.Tags)
			if err != nil {
				return nil, err
			}
			names = append(names, gone...)
		}
	}
	below, err := golist.Below(ctx, s.Resolved.Tree(), all, commit)
	if err != nil {
		return nil, err
	}
	names = append(names, below...)
	slices.Sort(names)
	var files []source.File
	for _, name := range slices.Compact(names) {
		files = append(files, source.File{Path: name})
	}
	return files, nil
}

// copiedFiles returns the files of the assets, the CA certificates and the lock file, including
// missing files of the assets' folders. names are the absolute paths of the existing assets and
// certificates.
func (s Source) copiedFiles(ctx context.Context, commit *source.Commit) (files []source.File, names []string, err error) {
	dir := s.Resolved.Dir
	for _, img := range s.Resolved.Plan.Images {
		assets, err := tree.AssetFiles(dir, img.CACertificates, img.Assets)
		if err != nil {
			return nil, nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		for _, a := range assets {
			file := filepath.Join(dir, filepath.FromSlash(a.Name))
			files, names = append(files, source.File{Path: file, Link: a.Link, Asset: true}), append(names, file)
		}
		if commit != nil {
			sources, err := tree.AssetSources(dir, nil, img.Assets)
			if err != nil {
				return nil, nil, fmt.Errorf("image %s: %w", img.Name, err)
			}
			for _, below := range sources {
				tracked, err := commit.Files(ctx, filepath.Join(dir, filepath.FromSlash(below)), true)
				if err != nil {
					return nil, nil, err
				}
				for _, file := range tracked {
					if source.Gone(file) {
						files = append(files, source.File{Path: file, Link: true})
					}
				}
			}
		}
		if img.Base != plan.BaseScratch || len(img.Packages) > 0 || s.Locked {
			files = append(files, source.File{Path: filepath.Join(dir, lock.File)})
		}
	}
	return files, names, nil
}

// executable reports which files are executable in the commit, by their paths relative to the
// module's folder; nil without git.
func (s Source) executable(ctx context.Context, commit *source.Commit, names []string) (map[string]bool, error) {
	if commit == nil {
		return nil, nil
	}
	modes, err := commit.Executable(ctx, names)
	if err != nil {
		return nil, err
	}
	executable := map[string]bool{}
	for file, is := range modes {
		rel, err := filepath.Rel(s.Resolved.Dir, file)
		if err != nil {
			return nil, err
		}
		executable[filepath.ToSlash(rel)] = is
	}
	return executable, nil
}
