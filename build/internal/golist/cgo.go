package golist

import (
	"context"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// CgoPackages returns the packages outside the standard library that use cgo, sorted. Because
// of them a build of the main package without cgo fails.
func CgoPackages(ctx context.Context, t Tree, platform plan.Platform, main Main) ([]string, error) {
	packages, err := t.list(ctx, append(platform.Env(), "CGO_ENABLED=1"), main.Tags, []string{main.Package}, "-e", "-json=ImportPath,Standard,CgoFiles")
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
