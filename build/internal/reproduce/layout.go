package reproduce

import (
	"os"
	"path/filepath"
)

// layout says where everything is in the folder of a clean room.
type layout struct{ dir string }

func (l layout) below(name string) string { return filepath.Join(l.dir, name) }

// fetched is the clone that is used only by git and to download modules; tree is the copy that
// is built.
func (l layout) fetched() string { return l.below("fetched") }
func (l layout) tree() string    { return filepath.Join(l.dir, "another", "place") }

func (l layout) cacheFolder() string { return filepath.Join(l.dir, "cache", "thimble") }
func (l layout) resultFile() string  { return l.below("result.json") }

// openTree opens the tree. No link leads out of the room, also if a process of the build still runs
// and moves the tree.
func (l layout) openTree() (*os.Root, error) {
	room, err := os.OpenRoot(l.dir)
	if err != nil {
		return nil, err
	}
	defer room.Close() // only read
	tree, err := filepath.Rel(l.dir, l.tree())
	if err != nil {
		return nil, err
	}
	return room.OpenRoot(tree)
}
