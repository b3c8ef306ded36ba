// Package golist asks the go command what it would compile, and finds the files of working
// trees that are used for that: sources, embedded files, files that C and assembly include, and
// files that define the modules. It compiles nothing and writes nothing.
package golist

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// Tree is a module in its working tree, and how its main packages are compiled.
type Tree struct {
	Go *gocmd.Go
	// Dir is the module's folder. Root is the folder of its repository, "" without git. Dist is
	// the output folder, which is not source. All are absolute.
	Dir, Root, Dist string
	// Mod is the go command's -mod.
	Mod   string
	Mains []Main
}

// Main is a main package, and how it is compiled.
type Main struct {
	Package string
	Cgo     bool
	// Tags are the build tags, separated by commas. FIPS140 is GOFIPS140 if an image sets it.
	Tags, FIPS140 string
}

// MainOf returns a main package of an image.
func MainOf(p *plan.Plan, img plan.Image, pkg string) Main {
	return Main{Package: pkg, Cgo: img.Cgo, Tags: strings.Join(p.Build.Of(img).Tags, ","),
		FIPS140: img.FIPS140}
}

// Mains returns the main packages of an image: first the one of the program that it runs.
func Mains(p *plan.Plan, img plan.Image) []Main {
	mains := []Main{MainOf(p, img, img.Package)}
	for _, program := range img.Programs {
		mains = append(mains, MainOf(p, img, program.Package))
	}
	return mains
}

// Key returns a text that is different for all main packages.
func (m Main) Key() string {
	return fmt.Sprintf("%s cgo=%t tags=%s fips140=%s", m.Package, m.Cgo, m.Tags, m.FIPS140)
}

// settings are how main packages of one list are compiled.
func (m Main) settings() Main {
	m.Package = ""
	return m
}

// InRepository returns a path relative to the repository's root, with slashes, if it is inside.
func (t Tree) InRepository(file string) (string, bool) {
	if t.Root == "" {
		return "", false
	}
	rel, err := filepath.Rel(t.Root, file)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

// maxLinks is how many symlinks a path may contain, as in Linux.
const maxLinks = 40

// names returns the names of a path in the repository: as it is written and, if symlinks are on
// the way, without them. links are the names of these symlinks. There is no name if the path is
// outside of the repository, or if a symlink leads outside. The path need not exist.
func (t Tree) names(file string) (names, links []string) {
	rel, ok := t.InRepository(file)
	if !ok {
		return nil, nil
	}
	at := "."
	for rest := strings.Split(rel, "/"); len(rest) > 0; {
		next := path.Join(at, rest[0])
		if rest = rest[1:]; !filepath.IsLocal(filepath.FromSlash(next)) {
			return nil, nil
		}
		text, err := os.Readlink(filepath.Join(t.Root, filepath.FromSlash(next)))
		if err != nil || next == "." { // no symlink, or the root
			at = next
			continue
		}
		if links = append(links, next); len(links) > maxLinks {
			return nil, nil
		}
		if filepath.IsAbs(text) {
			if text, ok = t.InRepository(text); !ok {
				return nil, nil
			}
			at = "."
		}
		rest = append(strings.Split(filepath.ToSlash(text), "/"), rest...)
	}
	if names = []string{rel}; at != rel {
		names = append(names, at)
	}
	return names, links
}

// present returns the names of files in the repository, with those of symlinks on their way, and
// the first file that exists and is outside of it; "" if there is none.
func (t Tree) present(files []string) (all []string, outside string) {
	for _, file := range files {
		names, links := t.names(file)
		all = append(append(all, names...), links...)
		if _, err := os.Stat(file); names == nil && err == nil && outside == "" {
			outside = file
		}
	}
	return all, outside
}
