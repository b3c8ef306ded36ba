// Package buildcontext finds what docker build would send to the engine: a folder of the
// repository without the files that .dockerignore excludes. It takes the files of the repository,
// and answers which of them a source of COPY names. It reads only the .dockerignore.
package buildcontext

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/thimble-build/thimble/build/init/finding"
)

// Context is the folder that docker build gets, without what .dockerignore excludes.
type Context struct {
	files finding.Files
	// Folder is the folder in the repository, "." for the root.
	Folder string
	// ignore is nil without a .dockerignore.
	ignore *patternmatcher.PatternMatcher
}

// Open returns the context of a Dockerfile. sources are what it copies from the context.
func Open(files finding.Files, dockerfile string, sources []string) Context {
	folder := choose(files, dockerfile, sources)
	c := Context{files: files, Folder: folder}
	for _, name := range []string{dockerfile + ".dockerignore", path.Join(folder, ".dockerignore")} {
		text, err := files.Read(name)
		if err != nil {
			continue
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			break
		}
		if m, err := patternmatcher.New(patterns); err == nil {
			c.ignore = m
		}
		break
	}
	return c
}

// choose returns the folder between the root and the Dockerfile that has most of what the
// Dockerfile copies. If several have as much, it is the root, unless a module begins in the
// Dockerfile's folder.
func choose(files finding.Files, name string, sources []string) string {
	var folders []string
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		folders = append(folders, dir)
		if dir == "." {
			break
		}
	}
	slices.Reverse(folders)
	if nearest := folders[len(folders)-1]; nearest != "." && files.Has(path.Join(nearest, "go.mod")) &&
		!slices.Contains(sources, "/"+nearest) {
		folders = append([]string{nearest}, folders[:len(folders)-1]...)
	}
	best, most := folders[0], -1
	for _, folder := range folders {
		n := 0
		for _, s := range sources {
			c := Context{files: files, Folder: folder}
			if s != "." && len(c.Match(s)) > 0 {
				n++
			}
		}
		if n > most {
			best, most = folder, n
		}
	}
	return best
}

// Has reports whether the context contains a file. The name is relative to the root.
func (c Context) Has(name string) bool {
	if c.ignore == nil {
		return true
	}
	rel := name
	if c.Folder != "." {
		rel = strings.TrimPrefix(name, c.Folder+"/")
	}
	ignored, err := c.ignore.MatchesOrParentMatches(rel)
	return err != nil || !ignored
}

// Match returns the files and folders of the repository that a source names, relative to the
// root. Folders have a slash at the end.
func (c Context) Match(source string) []string {
	source = path.Join(c.Folder, path.Clean("/" + source)[1:])
	if source == "" {
		source = "."
	}
	if !strings.ContainsAny(source, "*?[") {
		switch {
		case c.files.Has(source):
			return []string{source}
		case source == "." || len(c.files.Under(source)) > 0:
			return []string{source + "/"}
		}
		return nil
	}
	depth := strings.Count(source, "/") + 1
	seen := map[string]bool{}
	for _, name := range c.files.Names {
		parts := strings.SplitN(name, "/", depth+1)
		if len(parts) < depth {
			continue
		}
		head := strings.Join(parts[:depth], "/")
		if ok, err := path.Match(source, head); err != nil || !ok {
			continue
		}
		if len(parts) > depth {
			head += "/"
		}
		seen[head] = true
	}
	var all []string
	for name := range seen {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// most is the limit for the number of assets that one folder is split into.
const most = 24

// Split returns what is copied from a folder: the folder itself if nothing in it is excluded,
// else its entries. Names are relative to the folder; folders have a slash at the end. ok is
// false if there are too many.
func (c Context) Split(folder string, excluded func(name string) bool) (entries []string, ok bool) {
	out := func(name string) bool { return !c.Has(name) || excluded(name) }
	under := c.files.Under(folder)
	if !slices.ContainsFunc(under, out) {
		return []string{"./"}, true
	}
	var walk func(dir string)
	walk = func(dir string) {
		below := c.files.Under(dir)
		if len(entries) > most || !slices.ContainsFunc(below, func(n string) bool { return !out(n) }) {
			return
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(dir, folder), "/")
		if dir != folder && !slices.ContainsFunc(below, out) {
			entries = append(entries, rel+"/")
			return
		}
		last := ""
		for _, name := range below {
			inside := name
			if dir != "." {
				inside = strings.TrimPrefix(name, dir+"/")
			}
			first, _, isFolder := strings.Cut(inside, "/")
			switch {
			case isFolder && first != last:
				last = first
				walk(path.Join(dir, first))
			case !isFolder && !out(name):
				if folder == "." {
					entries = append(entries, name)
				} else {
					entries = append(entries, strings.TrimPrefix(name, folder+"/"))
				}
			}
		}
	}
	walk(folder)
	return entries, len(entries) <= most
}
