package session

import (
	"runtime/debug"

	"github.com/thimble-build/thimble/build/plan"
)

const kitPath = "github.com/thimble-build/thimble"

// Kit returns the running version of thimble, from the build info of the program. In a checkout
// of thimble the version is "(devel)".
func Kit() plan.Kit {
	k := plan.Kit{Path: kitPath, Version: "(devel)"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return k
	}
	for _, m := range info.Deps {
		if m.Path == kitPath && m.Replace == nil && m.Version != "" {
			k.Version = m.Version
		}
	}
	return k
}
