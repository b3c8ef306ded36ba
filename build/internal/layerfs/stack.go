package layerfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
)

// FS is the merged content of a stack of layers. It does not change.
type FS struct {
	root *node
	// nodes is the number of files and folders, steps the number of folders visited while adding
	// layers; both only grow.
	nodes, steps int
}

const (
	maxNodes = 400_000
	maxSteps = 50_000_000
)

// node is a file, or a folder with its content. A folder that no layer lists has no entry.
type node struct {
	entry    *Entry
	children map[string]*node
}

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// Stack merges layers, the lowest first, as a container engine unpacks them: the files that a
// layer has below a symlink to a folder go into that folder. An error says that there are more
// files, or more paths through symlinks, than any real image has.
func Stack(layers ...Layer) (*FS, error) { return (&FS{root: &node{}}).Overlay(layers...) }

// Overlay adds further layers on top and returns the result; fs does not change.
func (fs *FS) Overlay(layers ...Layer) (*FS, error) {
	fs = &FS{root: fs.root.clone(), nodes: fs.nodes}
	for _, l := range layers {
		// Whiteouts of a layer apply to the layers below, wherever in the tar they are.
		for i := range l {
			dir, base := path.Split(l[i].Path)
			if !strings.HasPrefix(base, whiteout) {
				continue
			}
			dir, base = path.Split(fs.inFolder(dir + base))
			if base == opaque {
				if n := fs.at(dir); n != nil {
					n.children = nil
				}
			} else {
				fs.remove(path.Join(dir, strings.TrimPrefix(base, whiteout)))
			}
		}
		for i := range l {
			if !strings.HasPrefix(path.Base(l[i].Path), whiteout) {
				fs.add(&l[i])
			}
			if fs.nodes > maxNodes {
				return nil, fmt.Errorf("read the layers: they have more than %d files and folders", maxNodes)
			}
			if fs.steps > maxSteps {
				return nil, errors.New("read the layers: their symlinks lead to each other in too many ways")
			}
		}
	}
	return fs, nil
}

func (n *node) clone() *node {
	c := &node{entry: n.entry}
	if n.children != nil {
		c.children = make(map[string]*node, len(n.children))
		for name, child := range n.children {
			c.children[name] = child.clone()
		}
	}
	return c
}

// add adds an entry of a layer, without changing the entry.
func (fs *FS) add(e *Entry) {
	at, link := fs.inFolder(e.Path), e.Link
	if e.Type == tar.TypeLink {
		link = fs.inFolder(link)
		if of := fs.at(link); of != nil && of.entry != nil {
			e, link = of.entry, of.entry.Link
		}
	}
	if at != e.Path || link != e.Link {
		moved := *e
		moved.Path, moved.Link = at, link
		e = &moved
	}
	n := fs.root
	for part := range parts(at) {
		next := n.children[part]
		if next == nil {
			next = &node{}
			fs.nodes++
			if n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[part] = next
		}
		n = next
	}
	if e.Type != tar.TypeDir {
		n.children = nil
	}
	n.entry = e
}

// parts returns the elements of a clean path.
func parts(p string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(p, "/") {
			if part != "" && !yield(part) {
				return
			}
		}
	}
}

// at returns the node at a clean path, without following links; nil if there is none.
func (fs *FS) at(p string) *node {
	n := fs.root
	for part := range parts(p) {
		if n = n.children[part]; n == nil {
			return nil
		}
	}
	return n
}

// remove removes the node at a path, with its content.
func (fs *FS) remove(p string) {
	if dir := fs.at(path.Dir(p)); dir != nil && p != "/" {
		delete(dir.children, path.Base(p))
	}
}

// inFolder returns a path in which the symlinks of the folder are resolved. A folder that leads
// nowhere stays as it is.
func (fs *FS) inFolder(p string) string {
	dir := path.Dir(p)
	n := fs.root
	for part := range parts(dir) {
		fs.steps++
		if n = n.children[part]; n == nil {
			return p
		}
		if n.entry != nil && n.entry.Type == tar.TypeSymlink {
			w := &walk{trail: []step{{"/", fs.root}}}
			ok := w.to(dir)
			fs.steps += w.steps
			if e := w.here().show(); ok && e.Type == tar.TypeDir {
				return path.Join(w.here().path, path.Base(p))
			}
			return p
		}
	}
	return p
}

// entries returns the visible entries of all layers, in no order.
func (fs *FS) entries() iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) { fs.root.walk("/", yield) }
}

func (n *node) walk(at string, yield func(string, Entry) bool) bool {
	if n.entry != nil && !yield(at, *n.entry) {
		return false
	}
	for name, child := range n.children {
		if !child.walk(path.Join(at, name), yield) {
			return false
		}
	}
	return true
}

// maxLinks bounds the symlinks in a path, as Linux does.
const maxLinks = 40

// Lookup returns the entry at an absolute path, following all symlinks; the entry's Path is the
// resolved one. A folder that no layer lists, but that has content, has mode 0755.
func (fs *FS) Lookup(p string) (Entry, bool) {
	w := &walk{trail: []step{{"/", fs.root}}}
	if !w.to(p) {
		return Entry{}, false
	}
	return w.here().show(), true
}

// walk is a walk through the folders.
type walk struct {
	trail []step // the parent folders, and the current one
	links int
	steps int
}

type step struct {
	path string
	node *node
}

func (w *walk) here() step { return w.trail[len(w.trail)-1] }

// show returns the entry of a step; for a folder that no layer lists, a default one.
func (s step) show() Entry {
	if s.node.entry == nil {
		return Entry{Path: s.path, Type: tar.TypeDir, Mode: 0o755}
	}
	return *s.node.entry
}

func (w *walk) to(p string) bool {
	if path.IsAbs(p) {
		w.trail = w.trail[:1]
	}
	for part := range strings.SplitSeq(p, "/") {
		w.steps++
		switch part {
		case "", ".":
			continue
		case "..":
			w.trail = w.trail[:max(1, len(w.trail)-1)]
			continue
		}
		here := w.here()
		if e := here.node.entry; e != nil && e.Type != tar.TypeDir {
			return false
		}
		next := here.node.children[part]
		if next == nil {
			return false
		}
		if e := next.entry; e != nil && e.Type == tar.TypeSymlink {
			if w.links++; w.links > maxLinks || !w.to(e.Link) {
				return false
			}
			continue
		}
		w.trail = append(w.trail, step{path.Join(here.path, part), next})
	}
	return true
}

// Has says whether there is a regular file at a path.
func (fs *FS) Has(p string) bool {
	e, ok := fs.Lookup(p)
	return ok && e.Type == tar.TypeReg
}

// Glob returns the entries in a folder, links not followed, whose name matches a
// pattern of path.Match, sorted.
func (fs *FS) Glob(dir, pattern string) []Entry {
	at, ok := fs.Lookup(dir)
	if !ok {
		return nil
	}
	folder := fs.at(at.Path)
	if folder == nil {
		return nil
	}
	var found []Entry
	for name, n := range folder.children {
		if ok, err := path.Match(pattern, name); err == nil && ok && n.entry != nil {
			found = append(found, *n.entry)
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return found
}
