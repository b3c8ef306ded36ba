//go:build unix

package signprogram

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// inherit passes files to a child process, and returns the numbers that it has for them.
func inherit(cmd *exec.Cmd, files []*os.File) (numbers []string) {
	for _, f := range files {
		numbers = append(numbers, strconv.Itoa(3+len(cmd.ExtraFiles)))
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return numbers
}

// sameTerminal leaves a child in this process's group: it asks for passwords, which only the
// terminal's foreground group can. The terminal interrupts both.
func sameTerminal(cmd *exec.Cmd) { cmd.SysProcAttr.Setpgid = false }

// keep keeps a descriptor from the processes that this one starts: a test could write to it.
func keep(fd uintptr) { syscall.CloseOnExec(int(fd)) }
