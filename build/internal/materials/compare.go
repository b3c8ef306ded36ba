package materials

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Files are the files that the images and archives are made of.
type Files struct {
	// Compiled are the absolute paths of compiled and embedded files, Copied those of all other
	// files: assets, certificates, the lock file, licences, and what archives contain, sorted.
	// CopiedBefore is the stat data of Copied.
	Compiled, Copied []string
	CopiedBefore     source.Snapshot
	// Modules are the folders of the modules that are compiled from working trees, sorted.
	Modules []string
	// Executable are the copied files that are executable in the commit, by their paths
	// relative to the module's folder.
	Executable map[string]bool
	// Archived are the licence and README files that archives contain.
	Archived []string

	all []source.File
}

// Files finds all files, and takes the stat data of those that are copied: whatever reads them
// later reads what is compared, unless that data changes. The commit is nil without git.
func (s Source) Files(ctx context.Context, lists Lists, commit *source.Commit) (Files, error) {
	var f Files
	compiled, err := s.compiledFiles(ctx, lists, commit)
	if err != nil {
		return f, err
	}
	copied, names, err := s.copiedFiles(ctx, commit)
	if err != nil {
		return f, err
	}
	if f.Executable, err = s.executable(ctx, commit, names); err != nil {
		return f, err
	}
	texts, err := s.licenseFiles(ctx, lists, commit)
	if err != nil {
		return f, err
	}
	for _, text := range texts {
		copied = append(copied, source.File{Path: text})
	}
	if f.Archived, err = s.archivedFiles(ctx, commit); err != nil {
		return f, err
	}
	for _, file := range f.Archived {
		copied = append(copied, source.File{Path: file, Link: true})
	}
	f.all = slices.Concat(compiled, copied)
	f.Compiled, f.Copied, f.Modules = paths(compiled), paths(copied), lists.modules()
	if f.CopiedBefore, err = source.Take(f.Copied); err != nil {
		return f, err
	}
	return f, s.Draft.CheckLock() // the plan was made from it before that
}

// modules returns the folders of the modules in working trees, sorted.
func (l Lists) modules() []string {
	var folders []string
	for _, list := range l {
		for _, file := range list.Compiled.Modules {
			if filepath.Base(file) == "go.mod" {
				folders = append(folders, filepath.Dir(file))
			}
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// SameNames reports whether no file was added to or removed from what was listed. An added file may
// have been compiled, although it is not in the lists.
func (l Lists) SameNames(ctx context.Context) (bool, error) {
	for _, list := range l {
		if same, err := list.Seen.SameNames(ctx, list.Compiled); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// ChangedCopy returns a copied file, or one from which a licence is read, that was changed or added
// since these files were found; "" if there is none.
func (s Source) ChangedCopy(ctx context.Context, lists Lists, files Files) (string, error) {
	if changed, err := files.CopiedBefore.Changed(files.Copied); changed != "" || err != nil {
		return changed, err
	}
	copied, _, err := s.copiedFiles(ctx, nil)
	if err != nil {
		return "", err
	}
	texts, err := s.licenseFiles(ctx, lists, nil)
	if err != nil {
		return "", err
	}
	for _, file := range append(paths(copied), texts...) {
		if _, known := slices.BinarySearch(files.Copied, file); !known {
			return file, nil
		}
	}
	return "", nil
}

// Differences compares the files with the commit. Without git there are no differences.
func (s Source) Differences(ctx context.Context, files Files,
	commit *source.Commit) ([]source.Difference, error) {
	if commit == nil {
		return nil, nil
	}
	differences, err := commit.Compare(ctx, files.all, s.Sums)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(differences, func(d source.Difference) bool {
		entries, err := os.ReadDir(d.Path) // the files of a folder are separate differences
		return d.Kind == source.Untracked && d.Path != "" && err == nil && len(entries) > 0
	}), nil
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

// tags returns the build tags of all images.
func (s Source) tags() []string {
	var tags []string
	for _, img := range s.Draft.Plan.Images {
		tags = append(tags, s.Draft.Plan.Build.Of(img).Tags...)
	}
	return tags
}

// compiledFiles returns the compiled files of all platforms, including missing ones.
func (s Source) compiledFiles(ctx context.Context, lists Lists,
	commit *source.Commit) ([]source.File, error) {
	var names []string
	var all []golist.Compiled
	for _, platform := range s.Platforms() {
		c := lists[platform].Compiled
		all, names = append(all, c), append(names, c.Files...)
		if commit != nil {
			gone, err := c.Gone(ctx, commit, platform, s.tags())
			if err != nil {
				return nil, err
			}
			names = append(names, gone...)
		}
	}
	below, err := golist.Below(ctx, s.Draft.Tree(), all, commit)
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
func (s Source) copiedFiles(ctx context.Context,
	commit *source.Commit) (files []source.File, names []string, err error) {
	dir := s.Draft.Dir
	for _, img := range s.Draft.Plan.Images {
		assets, err := tree.AssetFiles(dir, img.CACertificates, img.Assets)
		if err != nil {
			return nil, nil, fmt.Errorf("image %s: %w", img.Name, err)
		}
		for _, a := range assets {
			file := filepath.Join(dir, filepath.FromSlash(a.Name))
			files, names = append(files, source.File{Path: file, Link: a.Link, Asset: true}),
				append(names, file)
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
			gone, err := s.goneMatches(ctx, commit, img)
			if err != nil {
				return nil, nil, fmt.Errorf("image %s: %w", img.Name, err)
			}
			files = append(files, gone...)
		}
		if (img.Base != plan.BaseScratch || len(img.Packages) > 0 || s.Locked) && !s.pinnedWithoutFile(img) {
			files = append(files, source.File{Path: filepath.Join(dir, lock.File)})
		}
	}
	return files, names, nil
}

// pinnedWithoutFile reports whether the digest of the image's base pins it, and there is no lock file.
func (s Source) pinnedWithoutFile(img plan.Image) bool {
	_, err := os.Lstat(filepath.Join(s.Draft.Dir, lock.File))
	return errors.Is(err, fs.ErrNotExist) && resolve.ByDigest(img.Base)
}

// goneMatches returns the files of the commit that are missing on disk and that a pattern of the
// image's assets matches.
func (s Source) goneMatches(ctx context.Context, commit *source.Commit,
	img plan.Image) (files []source.File, err error) {
	patterns, err := tree.AssetPatterns(s.Draft.Dir, img.Assets)
	if err != nil {
		return nil, err
	}
	for _, pattern := range patterns {
		tracked, err := commit.Files(ctx, filepath.Join(s.Draft.Dir,
			filepath.FromSlash(tree.FixedFolder(pattern))), true)
		if err != nil {
			return nil, err
		}
		for _, file := range tracked {
			rel, err := filepath.Rel(s.Draft.Dir, file)
			if err == nil && tree.MatchesAsset(pattern, filepath.ToSlash(rel)) && source.Gone(file) {
				files = append(files, source.File{Path: file, Link: true})
			}
		}
	}
	return files, nil
}

// executable reports which files are executable in the commit, by their paths relative to the
// module's folder; nil without git.
func (s Source) executable(ctx context.Context, commit *source.Commit,
	names []string) (map[string]bool, error) {
	if commit == nil {
		return nil, nil
	}
	modes, err := commit.Executable(ctx, names)
	if err != nil {
		return nil, err
	}
	executable := map[string]bool{}
	for file, is := range modes {
		rel, err := filepath.Rel(s.Draft.Dir, file)
		if err != nil {
			return nil, err
		}
		executable[filepath.ToSlash(rel)] = is
	}
	return executable, nil
}
