package targets

import "runtime/debug"

// usualHeap is the memory limit of a run in bytes. The Go heap of a run is a few megabytes:
// collecting earlier than after doubling it keeps the peak small and costs nothing measurable.
const usualHeap = 38 << 20

// limitHeap limits the heap of this process, the only place that does. raise raises the limit if it
// is lower; restore restores what was before. The user's GOMEMLIMIT is not changed.
func limitHeap(getenv func(string) string) (raise func(bytes int64), restore func()) {
	if getenv("GOMEMLIMIT") != "" {
		return func(int64) {}, func() {}
	}
	before := debug.SetMemoryLimit(usualHeap)
	raise = func(bytes int64) {
		if debug.SetMemoryLimit(-1) < bytes {
			debug.SetMemoryLimit(bytes)
		}
	}
	return raise, func() { debug.SetMemoryLimit(before) }
}
