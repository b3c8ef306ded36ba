package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/dynlink"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// assembled is the part of a unit that assembly fills in.
type assembled struct {
	// inBase are the needs that the base already satisfies.
	base   base.Base
	inBase []string
	layers []image.Layer // from bottom to top
	// rootfsKey and assetsKey identify the content of these layers; empty if there is no such
	// layer. components returns the components they contain.
	rootfsKey, assetsKey string
	components           func(context.Context) ([]tree.Component, error)
	// libraries are the libraries that the binary loads when it starts.
	libraries []dynlink.Library
	// tools are the tools of a debug image.
	tools func() (*tree.Tree, error)
}

// assemble makes the layers of one image: the root file system, the user's files, and the
// binary with the licences of its modules. At the same time it makes the SBOMs. Then it builds
// the image. A unit that is only for an archive gets just the SBOMs.
func (r *run) assemble(ctx context.Context, u *unit) error {
	if u.archiveOnly {
		return r.Stage("describe "+u.String(), func() (string, error) {
			u.components = func(context.Context) ([]tree.Component, error) { return nil, nil }
			if err := u.hash(); err != nil {
				return "", err
			}
			if err := r.describe(ctx, u); err != nil {
				return "", fmt.Errorf("describe %s: %w", u, err)
			}
			return "", nil
		})
	}
	var err error
	if u.base, err = r.bases.Base(ctx, baseUse(u)); err != nil {
		return err
	}
	return r.Stage("assemble "+u.String(), func() (string, error) {
		layers, err := r.layersOf(ctx, u)
		if err != nil {
			return "", err
		}
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() error {
			for _, make := range layers {
				l, err := make(gctx)
				if err != nil {
					return fmt.Errorf("assemble %s: %w", u, err)
				}
				u.layers = append(u.layers, l)
			}
			return nil
		})
		g.Go(func() error {
			if err := u.hash(); err != nil {
				return err
			}
			if err := r.describe(ctx, u); err != nil {
				return fmt.Errorf("describe %s: %w", u, err)
			}
			return nil
		})
		if err := g.Wait(); err != nil {
			return "", err
		}
		if err := r.buildImage(u); err != nil {
			return "", fmt.Errorf("assemble %s: %w", u, err)
		}
		return "", nil
	})
}

// layersOf returns for each layer a function that makes it, from bottom to top.
func (r *run) layersOf(ctx context.Context, u *unit) ([]func(context.Context) (image.Layer, error), error) {
	p := r.resolved.Plan
	var err error
	if u.inBase, err = u.base.Covers(ctx, u.image); err != nil {
		return nil, err
	}
	names := u.files()
	src := tree.Sources{GOROOT: r.resolved.Go.Root, GoVersion: p.Toolchain.Version, KitVersion: p.Kit.Version}
	if slices.Contains(names, plan.NeedUsers) || len(u.image.Users) > 0 {
		if src.Base, err = u.base.Accounts(ctx); err != nil {
			return nil, err
		}
	}
	rootfs := sync.OnceValues(func() (*tree.Tree, error) { return tree.Rootfs(names, src) })
	var layers []func(context.Context) (image.Layer, error)
	if len(names) > 0 {
		if u.rootfsKey, err = tree.RootfsKey(names, src); err != nil {
			return nil, err
		}
		layers = append(layers, r.layer("rootfs", u.rootfsKey, rootfs))
	}
	below := src.Base
	if u.base.Image == nil || slices.Contains(names, plan.NeedUsers) {
		below = tree.MergeAccounts(src.Base)
	}
	assets, err := tree.Assets(r.resolved.Dir, u.image, below, r.found.compared.Executable)
	if err != nil {
		return nil, err
	}
	if assets, err = u.base.Place(ctx, assets); err != nil {
		return nil, err
	}
	if !assets.Empty() {
		h := sha256.New()
		if err := assets.WriteTar(limit.Writer(ctx, h)); err != nil {
			return nil, err
		}
		u.assetsKey = hex.EncodeToString(h.Sum(nil))
		layers = append(layers, r.layer("assets", u.assetsKey, func() (*tree.Tree, error) { return assets, nil }))
	}
	u.components = func(ctx context.Context) ([]tree.Component, error) {
		below, err := u.base.Components(ctx)
		if err != nil {
			return nil, err
		}
		own, err := value(r, "components-"+u.rootfsKey, func() ([]tree.Component, error) {
			t, err := rootfs()
			if err != nil {
				return nil, err
			}
			return t.Components(ctx)
		})
		if err != nil {
			return nil, err
		}
		more, err := assets.Components(ctx)
		if err != nil {
			return nil, err
		}
		tools, err := r.debug.components(ctx, u)
		return tree.Overlay(tree.Overlay(below, tree.Overlay(own, more)), tools), err
	}
	if err := r.link(ctx, u, assets); err != nil {
		return nil, err
	}
	if more := r.debug.layers(ctx, u); more != nil {
		layers = append(layers, more...)
		if r.debug.toolbox {
			return layers, nil
		}
	}
	const name = "binary"
	key := func() string { return tree.AppKey(u.image.Name, u.sha256, u.image.Capabilities, u.texts) }
	app := func() (*tree.Tree, error) {
		return tree.App(u.image.Name, u.size, u.open, u.image.Capabilities, u.texts)
	}
	if u.old {
		return append(layers, r.layer(name, key(), app)), nil
	}
	// A new binary is compressed while it is hashed.
	return append(layers, func(ctx context.Context) (image.Layer, error) {
		l, err := r.cache.LayerAhead(ctx, func() (string, error) {
			err := u.hash()
			return name + "-" + key(), err
		}, r.resolved.Plan.Compression, tarOf(app))
		return image.Layer{Layer: l, Name: name}, err
	}), nil
}

// layer returns a function that makes a layer or takes it from the cache.
func (r *run) layer(name, key string, make func() (*tree.Tree, error)) func(context.Context) (image.Layer, error) {
	return func(ctx context.Context) (image.Layer, error) {
		l, err := r.cache.Layer(ctx, name+"-"+key, r.resolved.Plan.Compression, tarOf(make))
		return image.Layer{Layer: l, Name: name}, err
	}
}

func tarOf(make func() (*tree.Tree, error)) func(io.Writer) error {
	return func(w io.Writer) error {
		t, err := make()
		if err != nil {
			return err
		}
		return t.WriteTar(w)
	}
}

// files returns the needs that the image has files for, except those that its base satisfies.
func (u *unit) files() []string {
	var names []string
	for _, n := range u.needs {
		if !n.Embedded && n.Name != plan.NeedExec && !slices.Contains(u.inBase, n.Name) {
			names = append(names, n.Name)
		}
	}
	return names
}
