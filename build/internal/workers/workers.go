// Package workers says how many go commands and processes may run at once in a limit of
// memory: the go command sees the machine's memory, and is killed in the middle of its work
// when there is less.
package workers

// maxCommands bounds how many go commands build at once; each of them uses all
// the cores.
const maxCommands = 3

// What a process of the go command needs at most, in bytes, as a rule: the linker for a large
// program, the compiler for a large package. The rest is ours and the go commands' own.
const (
	processMemory = 512 << 20
	restMemory    = 256 << 20
)

// LeastMemory is what one go command needs with one process, in bytes.
const LeastMemory = processMemory + restMemory

// Bound returns how many go commands may build at once under a limit of memory in bytes,
// 0 for none, and how many processes each of them and the tests may start; 0 leaves
// that to the go command, which takes one for each of the cores.
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
