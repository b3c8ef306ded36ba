package build

import (
	"context"
	"path"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/plan"
)

// keepSymbols keeps the debug symbols of a platform's binaries, if requested. Systems without
// ELF have none, because only ELF has a standard build id.
func (r *run) keepSymbols(ctx context.Context, platform plan.Platform, units []*unit) error {
	if !(r.Config.DebugSymbols || r.debug.isToolbox()) || platform.OS != "linux" || len(units) == 0 {
		return nil
	}
	return r.Stage("symbols "+platform.String(), func() (string, error) {
		for _, u := range units {
			var err error
			u.symbols, err = r.makeFile(ctx, compile.SymbolsPath(u.path), func() (err error) {
				u.buildID, err = compile.Symbols(ctx, r.resolved.Go, r.resolved.Plan, platform, u.image, u.file)
				return err
			})
			if err != nil {
				return "", err
			}
		}
		return "", nil
	})
}

// symbolsPath returns the path of the symbols below the output folder. gdb, elfutils and delve
// look for this path below a folder of debug files.
func (u *unit) symbolsPath() string { return path.Join("debug", buildIDPath(u.buildID)) }

func buildIDPath(id string) string {
	return path.Join(".build-id", id[:2], id[2:]+".debug")
}
