//go:build !linux && !darwin

package process

// self and parentOf return nothing here, so that nothing is watched: on Windows the console ends
// all of its processes together.
func self() int { return 0 }

func parentOf(int) (relative, bool) { return relative{}, false }
