package golist

import (
	"context"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// CgoPackages names the packages outside the standard library that are written with
// cgo, the reason why a build of a main package without it fails; sorted.
func CgoPackages(ctx context.Context, t Tree, platform plan.Platform, main string) ([]string, error) {
	packages, err := t.list(ctx, append(platform.Env(), "CGO_ENABLED=1"), []string{main}, "-e", "-json=ImportPath,Standard,CgoFiles")
	if err != nil {
		return nil, err
	}
	var names []string
	for path, p := range packages {
		if !p.Standard && len(p.CgoFiles) > 0 {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names, nil
}
