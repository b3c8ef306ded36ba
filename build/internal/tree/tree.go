// Package tree contains a file tree with the owners and modes for an image, and writes it as a
// tar whose bytes depend on nothing else.
//
// Rootfs makes the tree of the operating system's files that a binary needs, Assets the tree of
// the user's files and CA certificates, App the tree of the binary. Each is one layer of the
// image. A tree also records the components of its files, for the SBOM.
//
// Contents are opened when they are written and never kept in memory as a whole. The package
// writes no file, and reads only what its callers name.
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

// Tree is a set of nodes with different paths. The zero Tree is empty. Add must not run
// concurrently with other methods.
type Tree struct {
	nodes map[string]entry
	// in the order of their first files.
	components []*Component
}

type entry struct {
	Node
	implicit  bool // a parent that was not added itself
	component *Component
}

// Add adds n. It also adds missing parents: owned by root with mode 0755, except /tmp and the
// user's home, which are the same as in Rootfs, so that one layer does not restrict them for
// another. A path that already exists is an error, except for an identical folder.
func (t *Tree) Add(n Node) error { return t.add(n, nil) }

// AddComponent adds nodes as files of c; Components fills in the Files of c.
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

// whiteout is the prefix of names with which a layer deletes files of lower layers.
const whiteout = ".wh."

func (t *Tree) check(n Node) error {
	if !fs.ValidPath(n.Path) || n.Path == "." {
		return fmt.Errorf("%q is not a clean relative path", n.Path)
	}
	for _, element := range strings.Split(n.Path, "/") {
		if strings.HasPrefix(element, whiteout) {
			return fmt.Errorf(
				"the name %s deletes a file in a layer (OCI image-spec, layer.md); rename it, or omit it",
				element)
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
			return fmt.Errorf("it already exists (%s), and differs or is a file", old.Mode)
		}
	} else if ok && !n.Mode.IsDir() {
		return fmt.Errorf("it already exists as a folder")
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
		return fmt.Errorf("hard link to %q, which is not a file of the tree", n.Link)
	case n.Link >= n.Path:
		return fmt.Errorf("hard link to %q, which comes after it", n.Link)
	case target.Mode != n.Mode || target.UID != n.UID || target.GID != n.GID ||
		!bytes.Equal(target.Capabilities, n.Capabilities):
		return fmt.Errorf("hard link to %q, whose mode, owner or capabilities differ", n.Link)
	}
	return nil
}

// Empty says whether the tree has no nodes; then it makes no layer.
func (t *Tree) Empty() bool { return len(t.nodes) == 0 }

// Nodes returns the tree's nodes sorted by path, including the parents that Add made: a folder
// comes before its content.
func (t *Tree) Nodes() []Node {
	nodes := make([]Node, 0, len(t.nodes))
	for _, p := range slices.Sorted(maps.Keys(t.nodes)) {
		nodes = append(nodes, t.nodes[p].Node)
	}
	return nodes
}

// open returns the content of a regular file, also of a hard link.
func (t *Tree) open(n Node) (io.ReadCloser, error) {
	if n.Link != "" {
		n = t.nodes[n.Link].Node
	}
	return n.Open()
}
