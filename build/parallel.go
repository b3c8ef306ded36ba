package build

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/workers"
)

// boundMemory applies the limit of the control group that this process is in: the go
// command sees the machine's memory, and is killed in the middle of the work when there
// is less. It says how many go commands may build at once. GOFLAGS' -p, where it is
// set, stays.
func (r *run) boundMemory() (int, error) {
	limit, err := r.MemoryLimit()
	if err != nil {
		return 0, err
	}
	commands, processes := workers.Bound(limit, runtime.GOMAXPROCS(0))
	if g := r.resolved.Go; processes > 0 && g.Parallel == "" {
		g.Parallel = strconv.Itoa(processes)
		r.Progress.Notice(fmt.Sprintf("the memory is limited to %d MiB: the go command runs %s at once", limit>>20, progress.Count(processes, "compiler")))
	}
	return commands, nil
}
