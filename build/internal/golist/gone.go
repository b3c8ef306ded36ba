package golist

import (
	"context"
	"go/build"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Gone returns the files of the commit that are missing on disk and would otherwise be compiled
// or embedded.
func (c Compiled) Gone(ctx context.Context, commit *source.Commit, platform plan.Platform,
	tags []string) ([]string, error) {
	var gone []string
	named := build.Default
	named.GOOS, named.GOARCH, named.CgoEnabled, named.BuildTags = platform.OS, platform.Architecture, true,
		tags
	// The build constraints in a missing file are unknown, so only its name is used.
	named.OpenFile = func(string) (io.ReadCloser, error) {
		return io.NopCloser(
			strings.NewReader("package p\n")), nil
	}
	for _, folder := range c.Folders {
		files, err := commit.Files(ctx, folder.Dir, len(folder.Patterns) > 0)
		if err != nil {
			return nil, err
		}
		top := folder.Dir
		if physical, err := filepath.EvalSymlinks(top); err == nil {
			top = physical
		}
		for _, file := range files {
			rel, err := filepath.Rel(top, file)
			if err != nil || !source.Gone(file) {
				continue
			}
			rel = filepath.ToSlash(rel)
			if embeds(folder.Patterns, rel) {
				gone = append(gone, file)
				continue
			}
			if strings.Contains(rel, "/") || strings.HasSuffix(rel, "_test.go") {
				continue
			}
			if is, err := named.MatchFile(filepath.Dir(file), rel); err == nil && is {
				gone = append(gone, file)
			}
		}
	}
	return gone, nil
}

// embeds reports whether a //go:embed pattern matches a file or a folder that contains it. name
// is relative to the package's folder. Hidden files in a folder match only if the pattern
// begins with "all:".
func embeds(patterns []string, name string) bool {
	for _, pattern := range patterns {
		pattern, all := strings.CutPrefix(pattern, "all:")
		elements := strings.Split(name, "/")
		n := strings.Count(pattern, "/") + 1
		if pattern == "." {
			n = 0
		}
		if len(elements) < n {
			continue
		}
		if ok, err := path.Match(pattern, strings.Join(elements[:n], "/")); n > 0 && (err != nil || !ok) {
			continue
		}
		hidden := slices.ContainsFunc(elements[n:], func(e string) bool { return e[0] == '.' || e[0] == '_' })
		if all || !hidden {
			return true
		}
	}
	return false
}
