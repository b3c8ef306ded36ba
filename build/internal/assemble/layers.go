package assemble

import (
	"context"
	"io"
	"path"
	"slices"
	"sync"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// keys identify the content of layers; empty if there is no such layer.
type keys struct{ rootfs, assets string }

// layers are what the layers of an image are made of.
type layers struct {
	keys   keys
	assets *tree.Tree
	// make makes each layer, from bottom to top.
	make []func(context.Context) (image.Layer, error)
	// components returns the components that all layers contain, including the base's.
	components func(context.Context) ([]tree.Component, error)
}

// layers finds the layers: the root file system, the user's files, and the binary with the
// licences of its modules.
func (in Input) layers(ctx context.Context, img *Image) (l layers, err error) {
	p, names := in.Plan, img.Files()
	src := tree.Sources{GOROOT: in.GOROOT, GoVersion: p.Toolchain.Version, KitVersion: p.Kit.Version}
	if slices.Contains(names, plan.NeedUsers) || len(img.Image.Users) > 0 {
		if src.Base, err = in.Base.Accounts(ctx); err != nil {
			return l, err
		}
	}
	rootfs := sync.OnceValues(func() (*tree.Tree, error) { return tree.Rootfs(names, src) })
	if len(names) > 0 {
		if l.keys.rootfs, err = tree.RootfsKey(names, src); err != nil {
			return l, err
		}
		l.make = append(l.make, in.layer("rootfs", l.keys.rootfs, rootfs))
	}
	below := src.Base
	if in.Base.Image == nil || slices.Contains(names, plan.NeedUsers) {
		below = tree.MergeAccounts(src.Base)
	}
	assets, err := tree.Assets(in.Dir, img.Image, below, in.Executable)
	if err != nil {
		return l, err
	}
	if l.assets, err = in.Base.Place(ctx, assets); err != nil {
		return l, err
	}
	if !l.assets.Empty() {
		// The layer and the SBOM are cached under this key, also if the files change meanwhile.
		if l.assets, l.keys.assets, err = l.assets.Pinned(ctx); err != nil {
			return l, err
		}
		l.make = append(l.make, in.layer("assets", l.keys.assets, func() (*tree.Tree, error) { return l.assets, nil }))
	}
	var tools func() (*tree.Tree, error)
	if in.Extra.Tools != nil {
		tools = sync.OnceValues(func() (*tree.Tree, error) { return in.Extra.Tools(ctx) })
		l.make = append(l.make, in.layer("debug", in.Extra.Key, tools))
	}
	l.components = in.components(l, rootfs, tools)
	if in.Extra.Toolbox {
		l.make = append(l.make, in.layer("symbols", in.Symbols.BuildID+" "+in.Symbols.SHA256, in.symbols))
	} else {
		l.make = append(l.make, in.binary)
	}
	return l, nil
}

// components returns a function that returns the components of all layers.
func (in Input) components(l layers, rootfs, tools func() (*tree.Tree, error)) func(context.Context) ([]tree.Component, error) {
	cached := func(ctx context.Context, key string, t func() (*tree.Tree, error)) ([]tree.Component, error) {
		return cache.JSON(in.Cache, in.CacheVersion+"components-"+key, func() ([]tree.Component, error) {
			made, err := t()
			if err != nil {
				return nil, err
			}
			return made.Components(ctx)
		})
	}
	return func(ctx context.Context) ([]tree.Component, error) {
		below, err := in.Base.Components(ctx)
		if err != nil {
			return nil, err
		}
		own, err := cached(ctx, l.keys.rootfs, rootfs)
		if err != nil {
			return nil, err
		}
		more, err := l.assets.Components(ctx)
		if err != nil {
			return nil, err
		}
		all := tree.Overlay(below, tree.Overlay(own, more))
		if tools == nil {
			return all, nil
		}
		extra, err := cached(ctx, "debug-"+in.Extra.Key, tools)
		return tree.Overlay(all, extra), err
	}
}

// binary makes the layer with the binary. A new binary is compressed while it is hashed.
func (in Input) binary(ctx context.Context) (image.Layer, error) {
	const name = "binary"
	img, b := in.Target.Image, in.Binary
	key := func() (string, error) {
		sum, err := b.SHA256()
		return name + "-" + tree.AppKey(img.Name, sum, img.Capabilities, in.Texts), err
	}
	write := tarOf(func() (*tree.Tree, error) {
		return tree.App(img.Name, b.Size, b.Open, img.Capabilities, in.Texts)
	})
	if !b.Old {
		l, err := in.Cache.LayerAhead(ctx, key, in.Plan.Compression, write)
		return image.Layer{Layer: l, Name: name}, err
	}
	known, err := key()
	if err != nil {
		return image.Layer{}, err
	}
	l, err := in.Cache.Layer(ctx, known, in.Plan.Compression, write)
	return image.Layer{Layer: l, Name: name}, err
}

// symbols returns the tree with the symbols of the binary.
func (in Input) symbols() (*tree.Tree, error) {
	t := &tree.Tree{}
	return t, t.Add(tree.Node{
		Path: in.symbolsPath()[1:], Mode: 0o644, Size: in.Symbols.Size, Open: in.Symbols.Open,
	})
}

func (in Input) symbolsPath() string { return path.Join(symbolsFolder, in.Symbols.Path()) }

// layer returns a function that makes a layer or takes it from the cache.
func (in Input) layer(name, key string, make func() (*tree.Tree, error)) func(context.Context) (image.Layer, error) {
	return func(ctx context.Context) (image.Layer, error) {
		l, err := in.Cache.Layer(ctx, name+"-"+key, in.Plan.Compression, tarOf(make))
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
