package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// addSymlinks adds an image's symlinks.
func addSymlinks(t *Tree, img plan.Image) error {
	for _, l := range img.Symlinks {
		err := free(l.Path, img)
		switch {
		case err != nil:
			return fmt.Errorf("symlink %s: %w", l.Path, err)
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

// free returns an error if a layer above the assets has a file at a path, or at a folder above it.
func free(p string, img plan.Image) error {
	files := []string{AppPath(img.Name), LicensesPath}
	for _, program := range img.Programs {
		files = append(files, AppPath(program.Name))
	}
	for _, file := range files {
		if p == file {
			return errors.New("the image already has its own file there")
		}
		if strings.HasPrefix(p, file+"/") {
			return fmt.Errorf("%s is a program or another file of the image, so it is no folder; "+
				"another Name of the image gives the program another path", file)
		}
	}
	return nil
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
		if err := free(volume, img); err != nil {
			return fmt.Errorf("volume %s: %w", volume, err)
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
