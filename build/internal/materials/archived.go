package materials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/archive"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/source"
)

// archivedKinds are the files of the repository that every release archive contains, in upper
// case and without extension.
var archivedKinds = []string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "README"}

// archivedFiles returns the licence and README files that archives contain: the first of each
// kind, of the module's folder or of the repository's. In a repository they are the regular
// files of the commit, so that no other file gets into an archive. They may be missing on disk.
func (s Source) archivedFiles(ctx context.Context, commit *source.Commit) ([]string, error) {
	if !s.Draft.Archives {
		return nil, nil
	}
	var files []string
	seen := map[string]bool{}
	for _, dir := range s.Draft.LicenseFolders() {
		found, err := regularFiles(ctx, dir, commit)
		if err != nil {
			return nil, fmt.Errorf("find LICENSE and README: %w", err)
		}
		for _, file := range found {
			kind, _, _ := strings.Cut(strings.ToUpper(filepath.Base(file)), ".")
			if slices.Contains(archivedKinds, kind) && !seen[kind] {
				seen[kind] = true
				files = append(files, file)
			}
		}
	}
	return files, nil
}

// regularFiles returns the absolute paths of the regular files in a folder, sorted: those of the
// commit or, without git, those on disk.
func regularFiles(ctx context.Context, dir string, commit *source.Commit) ([]string, error) {
	if commit != nil {
		return commit.Regular(ctx, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// ReadArchived reads the licence and README files that archives contain. It omits what is not a
// regular file any more, which is a difference from the commit.
func (f Files) ReadArchived(ctx context.Context) ([]archive.Entry, error) {
	var entries []archive.Entry
	for _, file := range f.Archived {
		info, err := os.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		var content []byte
		if err == nil {
			content, err = readFile(ctx, file)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", filepath.Base(file), err)
		}
		entries = append(entries, archive.Entry{Name: filepath.Base(file), Data: content})
	}
	return entries, nil
}

// readFile is os.ReadFile, until the context ends.
func readFile(ctx context.Context, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	return io.ReadAll(limit.Reader(ctx, f))
}
