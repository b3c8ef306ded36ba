package golist

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/source"
)

// cFolders returns the trees of the lists that C may include from, and its include folders.
func cFolders(lists []Compiled) (trees, folders []string) {
	for _, c := range lists {
		trees, folders = append(trees, c.Trees...), append(folders, c.CFolders...)
	}
	slices.Sort(trees)
	slices.Sort(folders)
	return slices.Compact(trees), slices.Compact(folders)
}

// Below returns all files in the C trees of the lists, on disk or in the commit, except in .git
// and in the output folder. It includes files in folders of the repository that a symlink in a
// tree leads to, and other files that C files name. A file can be named twice.
func Below(ctx context.Context, t Tree, lists []Compiled, commit *source.Commit) ([]string, error) {
	trees, folders := cFolders(lists)
	var files []string
	seen := map[string]bool{}
	var below func(tree string) error
	below = func(tree string) error {
		return filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name == t.Dist || d.Name() == ".git":
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case d.IsDir():
				return context.Cause(ctx)
			}
			files = append(files, name)
			if folder := t.linkedFolder(d, name); folder != "" && !seen[folder] {
				seen[folder] = true
				return below(name + string(filepath.Separator))
			}
			return context.Cause(ctx)
		})
	}
	for _, tree := range trees {
		if commit != nil {
			tracked, err := commit.Files(ctx, tree, true)
			if err != nil {
				return nil, err
			}
			files = append(files, tracked...)
		}
		if err := below(tree); err != nil {
			return nil, fmt.Errorf("list the files that C may include: %w", err)
		}
	}
	outside, err := above(ctx, files, trees, folders)
	return append(files, outside...), err
}

// linkedFolder returns the folder of the repository that a symlink leads to, as a path without
// symlinks; "" if it leads to none.
func (t Tree) linkedFolder(d fs.DirEntry, name string) string {
	if d.Type() != fs.ModeSymlink || t.Root == "" {
		return ""
	}
	folder, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "" // a broken symlink
	}
	root, err := filepath.EvalSymlinks(t.Root)
	if err != nil {
		return ""
	}
	if rel, err := filepath.Rel(root, folder); err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "" // only its name is compared
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return ""
	}
	return folder
}
