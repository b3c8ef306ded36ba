package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

func self() int { return os.Getpid() }

// parentOf reads a process's parent from /proc (proc(5), "stat": the name ends at the last
// closing parenthesis, the parent's id is two fields later).
func parentOf(pid int) (relative, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return relative{}, false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return relative{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return relative{}, false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	return relative{parent, string(bytes.TrimSpace(name))}, err == nil
}
