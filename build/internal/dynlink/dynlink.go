// Package dynlink finds the shared libraries that a program loads when it starts in its image,
// and says how to add missing ones. It takes the program's ELF headers, the base and the files
// above it; it runs nothing.
package dynlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Input is a program in its image.
type Input struct {
	Image    plan.Image
	Platform plan.Platform
	// ELF describes the program; nil for a program that was compiled without cgo.
	ELF *layerfs.ELF
	// SHA256 is that of the program's file, in hex.
	SHA256 string
	// Base is below the assets; it is not scratch.
	Base base.Base
	// Assets are the user's files, and AssetsKey identifies their content.
	Assets    *tree.Tree
	AssetsKey string
	// Suite is the release of Debian that packages are from.
	Suite string
	// Cache keeps the libraries, separately for each CacheVersion.
	Cache        *cache.Cache
	CacheVersion string
}

// Library is a shared library, or the dynamic linker.
type Library struct {
	// Name is the requested name, Path the path in the image.
	Name, Path string
	// Package is the package that contains it; empty if none does.
	Package string
}

// Libraries returns the libraries that are loaded when the program starts, sorted by path. A
// missing library is a *layerfs.LinkError.
func Libraries(ctx context.Context, in Input) ([]Library, error) {
	program := layerfs.Program{
		ELF: in.ELF, Path: tree.AppPath(in.Image.Name), LibraryPath: libraryPath(in),
		Secure: len(in.Image.Capabilities) > 0,
	}
	key := fmt.Sprintf("%slinks-%s %s %s %s %q %t", in.CacheVersion,
		in.Base.Key, in.AssetsKey, in.SHA256, program.Path, program.LibraryPath, program.Secure)
	libraries, err := cache.JSON(in.Cache, key, func() ([]Library, error) { return find(ctx, in, program) })
	if err != nil {
		use := lock.Use{Base: in.Image.Base, Packages: in.Image.Packages}
		return nil, fmt.Errorf("link %s %s with the base %s: %w", in.Image.Name, in.Platform, use, err)
	}
	return libraries, nil
}

func find(ctx context.Context, in Input, program layerfs.Program) ([]Library, error) {
	files, err := in.Base.Files(ctx)
	if err != nil {
		return nil, err
	}
	if !in.Assets.Empty() {
		layer, err := scan(ctx, in.Assets)
		if err != nil {
			return nil, err
		}
		if files, err = files.Overlay(layer); err != nil {
			return nil, err
		}
	}
	found, err := files.Link(program)
	if err != nil {
		return nil, explain(in, err)
	}
	below, err := in.Base.Components(ctx)
	if err != nil {
		return nil, err
	}
	own, err := in.Assets.Components(ctx)
	if err != nil {
		return nil, err
	}
	owner := map[string]string{}
	for _, c := range tree.Overlay(below, own) {
		for _, f := range c.Files {
			owner[f.Path] = c.Name
		}
	}
	libraries := make([]Library, len(found))
	for i, l := range found {
		libraries[i] = Library{Name: l.Name, Path: l.Path, Package: owner[l.Path]}
	}
	return libraries, nil
}

// scan returns the layer of the tree.
func scan(ctx context.Context, t *tree.Tree) (layerfs.Layer, error) {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := t.WriteTar(limit.Writer(ctx, w))
		w.CloseWithError(err)
		written <- err
	}()
	layer, err := layerfs.Scan(r)
	r.CloseWithError(err)
	return layer, errors.Join(err, <-written)
}

// libraryPath returns the folders of LD_LIBRARY_PATH in the image.
func libraryPath(in Input) (folders []string) {
	for _, e := range slices.Concat(in.Base.Image.Config.Env, in.Image.Runtime.Env) {
		if list, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok {
			folders = strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ';' })
			folders = slices.DeleteFunc(folders, func(dir string) bool { return !path.IsAbs(dir) })
		}
	}
	return folders
}
