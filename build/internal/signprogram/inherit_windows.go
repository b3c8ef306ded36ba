package signprogram

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// inherit passes files to a child process, and returns the numbers that it has for them.
func inherit(cmd *exec.Cmd, files []*os.File) (numbers []string) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	for _, f := range files {
		handle := syscall.Handle(f.Fd())
		_ = syscall.SetHandleInformation(handle, syscall.HANDLE_FLAG_INHERIT,
			syscall.HANDLE_FLAG_INHERIT) // else the child cannot read it, and says so
		cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles,
			handle)
		numbers = append(numbers, strconv.FormatUint(uint64(handle), 10))
	}
	return numbers
}

func sameTerminal(*exec.Cmd) {}

// keep keeps a handle from the processes that this one starts: a test could write to it.
func keep(fd uintptr) {
	_ = syscall.SetHandleInformation(syscall.Handle(fd), syscall.HANDLE_FLAG_INHERIT,
		0) // else it is not a handle
}
