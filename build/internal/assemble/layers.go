package assemble

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"sync"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
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
	own := img.Image
	own.Runtime.User = in.user()
	assets, err := tree.Assets(in.Dir, own, below, in.Executable)
	if err != nil {
		return l, err
	}
	if err := in.checkEntrypoint(assets); err != nil {
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
		l.make = append(l.make, in.layer("assets", l.keys.assets,
			func() (*tree.Tree, error) { return l.assets, nil }))
	}
	var tools func() (*tree.Tree, error)
	if in.Extra.Tools != nil {
		tools = sync.OnceValues(func() (*tree.Tree, error) { return in.Extra.Tools(ctx) })
		l.make = append(l.make, in.layer("debug", in.Extra.Key, tools))
	}
	l.components = in.components(l, rootfs, tools)
	if in.Extra.Toolbox {
		symbols := in.first().Symbols
		l.make = append(l.make, in.layer("symbols", symbols.BuildID+" "+symbols.SHA256, in.symbols))
		return l, nil
	}
	for _, p := range in.Programs {
		l.make = append(l.make, in.binary(p.Binary))
	}
	return l, nil
}

// user returns the user that runs the image, as package image sets it.
func (in Input) user() string {
	base := ""
	if in.Base.Image != nil {
		base = in.Base.Image.Config.User
	}
	return cmp.Or(in.Target.Image.Runtime.User, base, image.User)
}

// checkEntrypoint returns an error if nothing is at the entrypoint, or at the target of a symlink.
// Files of a base are not looked for.
func (in Input) checkEntrypoint(assets *tree.Tree) error {
	if in.Base.Image != nil || in.Extra.Entrypoint != nil {
		return nil
	}
	has := func(file string) bool {
		for _, p := range in.Target.Programs() {
			if file == tree.AppPath(p.Name) {
				return true
			}
		}
		return assets.Has(file)
	}
	img := in.Target.Image
	if e := img.Runtime.Entrypoint; len(e) > 0 && !has(e[0]) {
		return fmt.Errorf(
			"assemble %s: the image has no %s, which is its Entrypoint; add it to Assets or Symlinks",
			in.Target, e[0])
	}
	for _, l := range img.Symlinks {
		if !has(l.Target) {
			return fmt.Errorf("assemble %s: the image has no %s, the target of the symlink %s",
				in.Target, l.Target, l.Path)
		}
	}
	return nil
}

// components returns a function that returns the components of all layers.
func (in Input) components(l layers, rootfs, tools func() (*tree.Tree, error)) func(context.Context) (
	[]tree.Component, error) {
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

// binary returns a function that makes the layer with a binary. A new binary is compressed while it
// is hashed. The licence texts are beside the binary that the image runs, which also has the
// capabilities.
func (in Input) binary(b *compile.Binary) func(context.Context) (image.Layer, error) {
	name, capabilities, texts := "binary", in.Target.Image.Capabilities, in.Texts
	if !b.Program.First() {
		name, capabilities, texts = "program "+b.Program.Name, nil, nil
	}
	return func(ctx context.Context) (image.Layer, error) {
		key := func() (string, error) {
			sum, err := b.SHA256()
			return "binary-" + tree.AppKey(b.Program.Name, sum, capabilities, texts), err
		}
		write := tarOf(func() (*tree.Tree, error) {
			return tree.App(b.Program.Name, b.Size, b.Open, capabilities, texts)
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
}

// symbols returns the tree with the symbols of the binary.
func (in Input) symbols() (*tree.Tree, error) {
	t := &tree.Tree{}
	return t, t.Add(tree.Node{
		Path: in.symbolsPath()[1:], Mode: 0o644, Size: in.first().Symbols.Size, Open: in.first().Symbols.Open,
	})
}

func (in Input) symbolsPath() string { return path.Join(symbolsFolder, in.first().Symbols.Path()) }

// layer returns a function that makes a layer or takes it from the cache.
func (in Input) layer(name, key string, make func() (*tree.Tree, error)) func(context.Context) (
	image.Layer, error) {
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
