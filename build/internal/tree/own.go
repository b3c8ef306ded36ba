package tree

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// addSymlinks adds an image's symlinks.
func addSymlinks(t *Tree, img plan.Image) error {
	for _, l := range img.Symlinks {
		switch {
		case taken(l.Path, img):
			return fmt.Errorf("symlink %s: the image already has its own file there", l.Path)
		case isFolder(l.Path, img.Name):
			return fmt.Errorf("symlink %s: it is a folder of the image; choose a path in it, such as %[1]s/x",
				l.Path)
		}
		if err := t.Add(Node{Path: l.Path[1:], Mode: fs.ModeSymlink | 0o777, Link: l.Target}); err != nil {
			return fmt.Errorf("symlink %s: %w", l.Path, err)
		}
	}
	return nil
}

// taken reports whether a layer above the assets has a file at a path.
func taken(p string, img plan.Image) bool {
	if p == AppPath(img.Name) || p == LicensesPath {
		return true
	}
	for _, program := range img.Programs {
		if p == AppPath(program.Name) {
			return true
		}
	}
	return false
}

// addVolumes adds the folders of volumes, owned by the image's user, unless assets are there. A
// user that is not a number owns none.
func addVolumes(t *Tree, img plan.Image) error {
	uid, gid, ok := owner(img.Runtime.User)
	for _, volume := range img.Runtime.Volumes {
		old, exists := t.nodes[volume[1:]]
		if !ok || exists && !old.implicit || isFolder(volume, img.Name) {
			continue
		}
		if err := t.Add(Node{Path: volume[1:], Mode: fs.ModeDir | 0o755, UID: uid, GID: gid}); err != nil {
			return fmt.Errorf("volume %s: %w", volume, err)
		}
	}
	return nil
}

// owner returns the numbers of a user; without a group it is 0, as for engines.
func owner(user string) (uid, gid int, ok bool) {
	u, g, both := strings.Cut(user, ":")
	uid, err := strconv.Atoi(u)
	if both && err == nil {
		gid, err = strconv.Atoi(g)
	}
	return uid, gid, err == nil
}

// Has reports whether the tree has a file, a folder or a symlink at an absolute path.
func (t *Tree) Has(p string) bool {
	_, ok := t.nodes[strings.TrimPrefix(p, "/")]
	return ok
}
