package build

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/workers"
)

// boundMemory applies the memory limit of this process's control group. The go command sees
// only the machine's memory, and is killed if the group has less. boundMemory returns how many
// go commands may build at once. It does not change a -p in GOFLAGS.
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
