package resolve

import (
	"runtime"

	"github.com/thimble-build/thimble/build/plan"
)

// Mains are the main packages of the module in dir of which images are made without
// any Config, such as "./cmd/api".
func Mains(dir string) ([]string, error) {
	r := &Resolved{Dir: dir, Plan: &plan.Plan{Platforms: []plan.Platform{{OS: "linux", Architecture: runtime.GOARCH}}}}
	return r.mains()
}

// IsMain says whether dir holds a main package.
func IsMain(dir string) (bool, error) {
	r := &Resolved{Dir: dir, Plan: &plan.Plan{Platforms: []plan.Platform{{OS: "linux", Architecture: runtime.GOARCH}}}}
	return r.isMain(dir)
}
