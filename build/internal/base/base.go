// Package base makes the base of an image: nothing (scratch), packages of Debian (distroless and
// debian), or an existing image.
//
// A [Set] makes the bases that a lock pins, and returns each as a [Base]: its layers, its
// configuration, and the content of the layers. Before that, [CheckSignatures] checks who signed
// the images, and [Fetch] brings everything into the cache for a later build without network.
// [Lock] finds the current content of the bases and pins it; everything else uses only pinned
// content.
//
// The package writes into the caches of its [Sources], and into temporary folders until
// Set.Close. It does not change a plan or a lock.
package base

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Base is the base of an image for one platform. The zero value is scratch.
type Base struct {
	// Image has the layers and the configuration that an image inherits; nil for scratch.
	Image *image.Base
	// Key identifies the content of the layers; empty for scratch.
	Key string

	// Each is calculated when it is first needed, and kept; nil for scratch.
	files      func(context.Context) (*layerfs.FS, error)
	components func(context.Context) ([]tree.Component, error)
	covers     func(ctx context.Context, uid string) ([]string, error)
}

// Layers are the layers from the bottom to the top; none for scratch.
func (b Base) Layers() []image.Layer {
	if b.Image == nil {
		return nil
	}
	return b.Image.Layers
}

// Digest is that of the manifest for this platform; empty for a base that is not an image.
func (b Base) Digest() string {
	if b.Image == nil {
		return ""
	}
	return b.Image.Digest
}

// Files returns the content of the layers; nil for scratch.
func (b Base) Files(ctx context.Context) (*layerfs.FS, error) {
	if b.files == nil {
		return nil, nil
	}
	return b.files(ctx)
}

// Components returns the origin of the files: Debian's packages, or the image as a whole.
func (b Base) Components(ctx context.Context) ([]tree.Component, error) {
	if b.components == nil {
		return nil, nil
	}
	return b.components(ctx)
}

// Covers returns the names of the needs for which the base already has the files, for the user
// who runs the image's program.
func (b Base) Covers(ctx context.Context, img plan.Image) ([]string, error) {
	if b.covers == nil {
		return nil, nil
	}
	uid, _, _ := strings.Cut(cmp.Or(img.Runtime.User, b.Image.Config.User, image.User), ":")
	for _, own := range img.Users {
		if strconv.Itoa(own.UID) == uid {
			uid = "0" // the layer with the assets brings the user and the home folder
		}
	}
	return b.covers(ctx, uid)
}

// Accounts returns the users and groups of the base; none for scratch.
func (b Base) Accounts(ctx context.Context) (tree.Accounts, error) {
	files, err := b.Files(ctx)
	if err != nil || files == nil {
		return tree.Accounts{}, err
	}
	passwd, group := files.Users()
	return tree.Accounts{Passwd: passwd, Group: group}, nil
}

// Place returns the tree with its paths on this base: in the folders that the base's symlinks
// lead to (see [tree.Tree.OverlaidOn]).
func (b Base) Place(ctx context.Context, t *tree.Tree) (*tree.Tree, error) {
	if b.files == nil || t.Empty() {
		return t, nil
	}
	files, err := b.files(ctx)
	if err != nil {
		return nil, err
	}
	type found struct {
		tree.Node
		ok bool
	}
	known := map[string]found{} // a lookup of a missing path takes long
	placed, err := t.OverlaidOn(func(p string) (tree.Node, bool) {
		f, ok := known[p]
		if !ok {
			var e layerfs.Entry
			if e, f.ok = files.Lookup("/" + p); e.Type == tar.TypeDir {
				f.Node = tree.Folder(strings.TrimPrefix(e.Path, "/"), e.Mode, e.UID, e.GID)
			}
			known[p] = f
		}
		return f.Node, f.ok
	})
	if err != nil {
		return nil, fmt.Errorf("put assets onto the base %s: %w", b.Image.Name, err)
	}
	return placed, nil
}
