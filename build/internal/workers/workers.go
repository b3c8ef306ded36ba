// Package workers says how many go commands and processes may run at once with a limit of memory:
// the go command uses the machine's memory size, and is killed during its work if there is less.
package workers

// maxCommands bounds how many go commands build at once; each of them uses all
// the cores.
const maxCommands = 3

// The usual maximum memory of a process of the go command, in bytes: the linker for a large
// program, the compiler for a large package. The rest is for thimble and the go commands
// themselves.
const (
	processMemory = 512 << 20
	restMemory    = 256 << 20
)

// LeastMemory is the memory for one go command with one process, in bytes.
const LeastMemory = processMemory + restMemory

// Bound returns how many go commands may build at once with a limit of memory in bytes, 0 for
// none, and how many processes each of them and the tests may start; 0 leaves that to the go
// command, which uses one for each core.
func Bound(limit int64, cores int) (commands, processes int) {
	if limit <= 0 {
		return maxCommands, 0
	}
	slots := max(1, int((limit-restMemory)/processMemory))
	commands = min(max(1, slots/4), maxCommands)
	processes = max(1, slots/(commands+1))
	if processes >= cores {
		processes = 0
	}
	return commands, processes
}
