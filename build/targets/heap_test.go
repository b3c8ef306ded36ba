package targets

import (
	"runtime/debug"
	"testing"
)

// The limit of the heap is only this run's, and the user's is not changed.
func TestLimitHeap(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	now := func(want int64, when string) {
		t.Helper()
		if got := debug.SetMemoryLimit(-1); got != want {
			t.Errorf("%s the limit is %d, want %d", when, got, want)
		}
	}
	raise, restore := limitHeap(func(string) string { return "" })
	now(usualHeap, "in a run")
	raise(usualHeap - 1)
	now(usualHeap, "after less is needed")
	raise(2 * usualHeap)
	now(2*usualHeap, "after more is needed")
	restore()
	now(before, "after the run")

	raise, restore = limitHeap(func(name string) string { return map[string]string{"GOMEMLIMIT": "1GiB"}[name] })
	raise(2 * usualHeap)
	now(before, "with GOMEMLIMIT")
	restore()
	now(before, "after that run")
}
