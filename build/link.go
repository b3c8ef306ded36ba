package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/dynlink"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// link finds the libraries of a binary that was compiled with cgo. A static binary, and one on
// scratch, has none.
func (r *run) link(ctx context.Context, u *unit, assets *tree.Tree) error {
	if !u.dynamic() || u.base.Image == nil {
		return nil
	}
	if err := u.hash(); err != nil {
		return err
	}
	var err error
	u.libraries, err = dynlink.Libraries(ctx, dynlink.Input{
		Image: u.image, Platform: u.platform, ELF: u.elf, SHA256: u.sha256,
		Base: u.base, Assets: assets, AssetsKey: u.assetsKey, Suite: r.resolved.Suite,
		Cache: r.cache, CacheVersion: r.cacheVersion,
	})
	return err
}

// compilerFor returns the C compiler of a platform; nil if the plan has none.
func compilerFor(p *plan.Plan, platform plan.Platform) *plan.CCompiler {
	for i, c := range p.Toolchain.C {
		if c.Platform == platform {
			return &p.Toolchain.C[i]
		}
	}
	return nil
}
