package tree

import (
	"fmt"
	"io/fs"
	"path"
)

// Above returns the tree as it is put on what an image stands on, of which folder finds
// the folder at a path, through symlinks; its Path is where it really lies. What the tree
// has below a symlink to a folder comes into that folder, as a copy would: a layer with a
// folder of that name would take the symlink away, and with it everything behind it.
// Folders that are there already stay as they are, unless the tree has a mode or an owner
// for them.
func (t *Tree) Above(folder func(p string) (Node, bool)) (*Tree, error) {
	placed := &Tree{components: t.components}
	for _, n := range t.Nodes() {
		e := t.nodes[n.Path]
		if e.implicit {
			continue
		}
		from := n.Path
		n.Path = below(folder, n.Path)
		if n.Mode.IsDir() {
			if there, ok := folder(n.Path); ok {
				if n.Path = there.Path; plainFolder(n) {
					n = there
				}
			}
		}
		if n.Path == "" || n.Path == "." {
			continue // a symlink to the root
		}
		if n.Mode.IsRegular() && n.Link != "" {
			n.Link = below(folder, n.Link)
		}
		if err := placed.add(n, e.component); err != nil {
			if from != n.Path {
				err = fmt.Errorf("%w; the base has a symlink that leads there from /%s", err, from)
			}
			return nil, err
		}
	}
	for p, e := range placed.nodes {
		if there, ok := folder(p); e.implicit && ok && there.Path == p {
			e.Node = there
			placed.nodes[p] = e
		}
	}
	return placed, nil
}

// plainFolder says that nobody has said how a folder is to be.
func plainFolder(n Node) bool { return n.Mode == fs.ModeDir|0o755 && n.UID == 0 && n.GID == 0 }

// below is where a path really lies, whose last element is not followed.
func below(folder func(p string) (Node, bool), p string) string {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		if there, ok := folder(dir); ok {
			return path.Join(there.Path, p[len(dir)+1:])
		}
	}
	return p
}
