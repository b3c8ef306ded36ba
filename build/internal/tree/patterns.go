package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// expand returns assets without patterns: a pattern becomes an asset for each match, with its last
// name in the target.
func expand(root *os.Root, assets []plan.Asset) ([]plan.Asset, error) {
	var all []plan.Asset
	for _, a := range assets {
		pattern, ok := patternOf(root, a)
		if !ok {
			all = append(all, a)
			continue
		}
		matches, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", a.Source, err)
		}
		found := false
		for _, name := range matches {
			if hidden(name) && !hidden(pattern) {
				continue
			}
			one := a
			one.Source, one.Target, found = name, path.Join(a.Target, path.Base(name)), true
			all = append(all, one)
		}
		if !found {
			return nil, fmt.Errorf("asset %s: the pattern matches nothing", a.Source)
		}
	}
	return all, nil
}

func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }

// patternOf returns the cleaned pattern of an asset, if its source is one and not the name of a
// file.
func patternOf(root *os.Root, a plan.Asset) (string, bool) {
	clean, err := cleanSource(a.Source)
	if err != nil || !strings.ContainsAny(clean, `*?[`) {
		return "", false
	}
	if _, err := root.Lstat(filepath.FromSlash(clean)); !errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	return clean, true
}

// AssetPatterns returns the patterns among the sources of assets, relative to dir and with slashes.
func AssetPatterns(dir string, assets []plan.Asset) ([]string, error) {
	root, err := openModule(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	var patterns []string
	for _, a := range assets {
		if pattern, ok := patternOf(root, a); ok {
			patterns = append(patterns, pattern)
		}
	}
	return patterns, nil
}

// MatchesAsset reports whether a pattern of AssetPatterns matches a file or one of its folders. The
// name is relative to the module's folder, with slashes.
func MatchesAsset(pattern, name string) bool {
	elements, depth := strings.Split(name, "/"), strings.Count(pattern, "/")+1
	if len(elements) < depth {
		return false
	}
	top := strings.Join(elements[:depth], "/")
	ok, err := path.Match(pattern, top)
	return ok && err == nil && (!hidden(top) || hidden(pattern))
}

// FixedFolder returns the folder of a pattern in which all matches are: "." for the module's.
func FixedFolder(pattern string) string {
	folder := "."
	for _, element := range strings.Split(path.Dir(pattern), "/") {
		if strings.ContainsAny(element, `*?[\`) {
			break
		}
		folder = path.Join(folder, element)
	}
	return folder
}
