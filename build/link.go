package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// link finds what a binary that was compiled with cgo is linked with when it starts in
// its image: on its base, below the user's own files. What is missing there is an error.
// A static binary, and one that goes onto no base, is linked with nothing.
func (r *run) link(ctx context.Context, u *unit, assets *tree.Tree) error {
	if !u.dynamic() || u.base.Image == nil {
		return nil
	}
	program := layerfs.Program{ELF: u.elf, Path: tree.AppPath(u.image.Name), LibraryPath: u.libraryPath(), Secure: len(u.image.Capabilities) > 0}
	if err := u.hash(); err != nil {
		return err
	}
	key := fmt.Sprintf("links-%s %s %s %s %q %t", u.base.Key, u.assetsKey, u.sha256, program.Path, program.LibraryPath, program.Secure)
	var err error
	u.libraries, err = value(r, key, func() ([]Library, error) {
		files, err := u.base.Files(ctx)
		if err != nil {
			return nil, err
		}
		if !assets.Empty() {
			layer, err := scanTree(ctx, assets)
			if err != nil {
				return nil, err
			}
			if files, err = files.Overlay(layer); err != nil {
				return nil, err
			}
		}
		found, err := files.Link(program)
		if err != nil {
			return nil, r.explainLink(u, err)
		}
		below, err := u.base.Components(ctx)
		if err != nil {
			return nil, err
		}
		own, err := assets.Components(ctx)
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
	})
	if err != nil {
		return fmt.Errorf("link %s with the base %s: %w", u, lock.Use{Base: u.image.Base, Packages: u.image.Packages}, err)
	}
	return nil
}

// scanTree is what a tree shows.
func scanTree(ctx context.Context, t *tree.Tree) (layerfs.Layer, error) {
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

// libraryPath are the folders of LD_LIBRARY_PATH as the image sets it.
func (u *unit) libraryPath() (folders []string) {
	for _, e := range slices.Concat(u.base.Image.Config.Env, u.image.Runtime.Env) {
		if list, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok {
			folders = slices.DeleteFunc(strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ';' }), func(dir string) bool { return !path.IsAbs(dir) })
		}
	}
	return folders
}

// explainLink adds the way out to what Link says.
func (r *run) explainLink(u *unit, err error) error {
	missing := new(layerfs.LinkError)
	if !errors.As(err, &missing) {
		return err
	}
	isDebian := lock.IsDebian(u.image.Base)
	switch {
	case missing.Overlooked != "":
		return fmt.Errorf("%w, since neither LD_LIBRARY_PATH nor $ORIGIN does; link with an absolute folder (-Wl,-rpath=%s)", err, path.Dir(missing.Overlooked))
	case missing.Version != "":
		newer := "choose a newer base"
		if isDebian && r.resolved.Suite != debian.DefaultSuite {
			newer = fmt.Sprintf("set Config.Debian.Suite to %q", debian.DefaultSuite)
		}
		return fmt.Errorf("%w: the program was compiled for a newer system than the base; compile it on the base's own, or an older one, or %s", err, newer)
	case missing.Name == u.elf.Interp && !isDebian:
		return fmt.Errorf("%w: the base has no C library, or another one than the C compiler's; choose a base that has this one, "+
			"or name a compiler for the base's in CC_FOR_%s_%s", err, u.platform.OS, u.platform.Architecture)
	case !isDebian:
		return fmt.Errorf("%w; choose a base that has it, or bring it with Assets", err)
	}
	name := "the package that has it"
	if pkg := debian.LibraryPackage(missing.Name); pkg != "" {
		name = pkg
		if r.resolved.Suite != "bookworm" && pkg != "libc6" {
			name += " (or " + pkg + "t64)"
		}
		name += ", which by Debian's rule for names has it,"
	}
	return fmt.Errorf("%w; add %s to Packages and run \"mage lock\"", err, name)
}

// compilerFor is the C compiler of a platform; nil where the plan has none.
func compilerFor(p *plan.Plan, platform plan.Platform) *plan.CCompiler {
	for i, c := range p.Toolchain.C {
		if c.Platform == platform {
			return &p.Toolchain.C[i]
		}
	}
	return nil
}
