// Package tree holds a file tree with the owners and modes that it has in an
// image, and writes it as a tar whose bytes depend on nothing else.
//
// Rootfs makes the tree of what a binary needs of an operating system, Assets
// the tree of the user's own files and CA certificates, App the tree of the
// binary. Each is one layer of the image. A tree also knows which components
// brought its files, for the SBOM.
//
// Contents are opened when they are written and never held as a whole; the
// package writes no file and reads nothing but what it is given.
package tree

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Tree is a set of nodes with different paths. The zero Tree is empty. Its
// methods must not be called at once with Add.
type Tree struct {
	nodes map[string]entry
	// order of the components is that of their first file.
	components []*Component
}

type entry struct {
	Node
	implicit  bool // a parent that nobody named
	component *Component
}

// Add puts n into the tree. Parents that are not there yet are made: owned by
// root with mode 0755, except /tmp and the user's home, which are as Rootfs makes
// them, so that a layer above another does not close them. A path that the tree
// already holds is an error, except for a folder that is the same in all.
func (t *Tree) Add(n Node) error { return t.add(n, nil) }

// AddComponent puts nodes into the tree and remembers that c brought them; the
// Files of c are found by Components.
func (t *Tree) AddComponent(c Component, nodes ...Node) error {
	for _, n := range nodes {
		if err := t.add(n, &c); err != nil {
			return err
		}
	}
	t.components = append(t.components, &c)
	return nil
}

func (t *Tree) add(n Node, c *Component) error {
	if err := t.check(n); err != nil {
		return fmt.Errorf("add /%s to the tree: %w", n.Path, err)
	}
	if t.nodes == nil {
		t.nodes = make(map[string]entry)
	}
	for dir := path.Dir(n.Path); dir != "."; dir = path.Dir(dir) {
		if _, ok := t.nodes[dir]; ok {
			break
		}
		t.nodes[dir] = entry{Node: folder(dir), implicit: true}
	}
	t.nodes[n.Path] = entry{Node: n, component: c}
	return nil
}

// whiteout begins the names by which a layer deletes what is below it.
const whiteout = ".wh."

func (t *Tree) check(n Node) error {
	if !fs.ValidPath(n.Path) || n.Path == "." {
		return fmt.Errorf("%q is not a clean relative path", n.Path)
	}
	for _, element := range strings.Split(n.Path, "/") {
		if strings.HasPrefix(element, whiteout) {
			return fmt.Errorf("the name %s is an order to delete in a layer (OCI image-spec, layer.md); rename it, or leave it out", element)
		}
	}
	if n.UID < 0 || n.GID < 0 {
		return fmt.Errorf("owner %d:%d is negative", n.UID, n.GID)
	}
	if len(n.Capabilities) > 0 && !n.Mode.IsRegular() {
		return fmt.Errorf("only files have capabilities")
	}
	switch n.Mode.Type() {
	case fs.ModeDir:
	case fs.ModeSymlink:
		if n.Link == "" {
			return fmt.Errorf("symlink without a target")
		}
	case 0:
		if err := t.checkFile(n); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is neither a file, a folder nor a symlink", n.Mode)
	}
	if old, ok := t.nodes[n.Path]; ok && !old.implicit {
		if !n.Mode.IsDir() || old.Mode != n.Mode || old.UID != n.UID || old.GID != n.GID {
			return fmt.Errorf("it is already there (%s), and differs or is a file", old.Mode)
		}
	} else if ok && !n.Mode.IsDir() {
		return fmt.Errorf("it is already there as a folder")
	}
	for dir := path.Dir(n.Path); dir != "."; dir = path.Dir(dir) {
		if old, ok := t.nodes[dir]; ok && !old.Mode.IsDir() {
			return fmt.Errorf("/%s is not a folder", dir)
		}
	}
	return nil
}

func (t *Tree) checkFile(n Node) error {
	if n.Link == "" {
		if n.Open == nil {
			return fmt.Errorf("file without content")
		}
		return nil
	}
	target, ok := t.nodes[n.Link]
	switch {
	case !ok || !target.Mode.IsRegular() || target.Link != "":
		return fmt.Errorf("hard link to %q, which is no file of the tree", n.Link)
	case n.Link >= n.Path:
		return fmt.Errorf("hard link to %q, which comes after it", n.Link)
	case target.Mode != n.Mode || target.UID != n.UID || target.GID != n.GID || !bytes.Equal(target.Capabilities, n.Capabilities):
		return fmt.Errorf("hard link to %q, whose mode, owner or capabilities differ", n.Link)
	}
	return nil
}

// Empty says that the tree has no nodes: such a tree is no layer.
func (t *Tree) Empty() bool { return len(t.nodes) == 0 }

// Nodes returns the tree's nodes, the parents that Add made among them, sorted by
// path: a folder comes before what is in it.
func (t *Tree) Nodes() []Node {
	nodes := make([]Node, 0, len(t.nodes))
	for _, p := range slices.Sorted(maps.Keys(t.nodes)) {
		nodes = append(nodes, t.nodes[p].Node)
	}
	return nodes
}

// open gives the content of a regular file, through a hard link if it is one.
func (t *Tree) open(n Node) (io.ReadCloser, error) {
	if n.Link != "" {
		n = t.nodes[n.Link].Node
	}
	return n.Open()
}
