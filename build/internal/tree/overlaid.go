package tree

import (
	"fmt"
	"io/fs"
	"path"
)

// OverlaidOn returns the tree with its paths on a base. base returns the node at a path,
// following symlinks, with the resolved Path. Files that the tree has below a symlink to a folder
// go into that folder: a folder in the layer would replace the symlink and hide the content
// behind it. Existing folders keep their mode and owner, unless the tree sets them. A file in
// place of a folder, or a path below a file, is an error.
func (t *Tree) OverlaidOn(base func(p string) (Node, bool)) (*Tree, error) {
	placed := &Tree{components: t.components}
	for _, n := range t.Nodes() {
		e := t.nodes[n.Path]
		if e.implicit {
			continue
		}
		from := n.Path
		var err error
		if n.Path, err = below(base, n.Path); err != nil {
			return nil, err
		}
		there, ok := base(n.Path)
		switch ok = ok && there.Mode.IsDir(); {
		case ok && n.Mode.IsDir():
			if n.Path = there.Path; plainFolder(n) {
				n = there
			}
		case ok && (n.Mode.IsRegular() || there.Path == n.Path):
			return nil, fmt.Errorf(
				"add /%s: it is a folder of the base; give the path of a file in it, such as /%s/x", from,
				from)
		}
		if n.Path == "" {
			continue // a symlink to the root
		}
		if n.Mode.IsRegular() && n.Link != "" {
			if n.Link, err = below(base, n.Link); err != nil {
				return nil, err
			}
		}
		if err := placed.add(n, e.component); err != nil {
			if from != n.Path {
				err = fmt.Errorf("%w; the base has a symlink that leads there from /%s", err, from)
			}
			return nil, err
		}
	}
	for p, e := range placed.nodes {
		if there, ok := base(p); e.implicit && ok && there.Path == p && there.Mode.IsDir() {
			e.Node = there
			placed.nodes[p] = e
		}
	}
	return placed, nil
}

// plainFolder says whether a folder has the default mode and owner.
func plainFolder(n Node) bool { return n.Mode == fs.ModeDir|0o755 && n.UID == 0 && n.GID == 0 }

// below returns the resolved path; the last element is not followed.
func below(base func(p string) (Node, bool), p string) (string, error) {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		there, ok := base(dir)
		if !ok {
			continue
		}
		if !there.Mode.IsDir() {
			return "", fmt.Errorf("add /%s: /%s is a file of the base", p, dir)
		}
		return path.Join(there.Path, p[len(dir)+1:]), nil
	}
	return p, nil
}
