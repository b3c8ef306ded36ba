package build

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/thimble-build/thimble/build/internal/cgroup"
)

// maxCompilers bounds how many go commands build at once; each of them uses all
// the cores.
const maxCompilers = 3

// What a process of the go command needs at most, as a rule: the linker for a large
// program, the compiler for a large package. The rest is ours and the go commands' own.
const (
	compilerMemory = 512 << 20
	restMemory     = 256 << 20
)

// bound says how many go commands may build at once under a limit of memory in bytes,
// 0 for none, and how many processes each of them and the tests may start; 0 leaves
// that to the go command, which takes one for each of the cores.
func bound(limit int64, cores int) (commands, processes int) {
	if limit <= 0 {
		return maxCompilers, 0
	}
	slots := max(1, int((limit-restMemory)/compilerMemory))
	commands = min(max(1, slots/4), maxCompilers)
	processes = max(1, slots/(commands+1))
	if processes >= cores {
		processes = 0
	}
	return commands, processes
}

// boundMemory applies the limit of the control group that this process is in: the go
// command sees the machine's memory, and is killed in the middle of the work when there
// is less. It says how many go commands may build at once. GOFLAGS' -p, where it is
// set, stays.
func (r *run) boundMemory() (int, error) {
	limit, err := cgroup.MemoryLimit(os.DirFS("/"))
	if err != nil {
		return 0, err
	}
	commands, processes := bound(limit, runtime.GOMAXPROCS(0))
	if g := r.resolved.Go; processes > 0 && g.Parallel == "" {
		g.Parallel = strconv.Itoa(processes)
		r.Progress.Notice(fmt.Sprintf("the memory is limited to %d MiB: the go command runs %s at once", limit>>20, count(processes, "compiler")))
	}
	return commands, nil
}
