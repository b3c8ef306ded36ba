package process

import (
	"os"

	"golang.org/x/sys/unix"
)

func self() int { return os.Getpid() }

func parentOf(pid int) (relative, bool) {
	child, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return relative{}, false
	}
	parent := int(child.Eproc.Ppid)
	info, err := unix.SysctlKinfoProc("kern.proc.pid", parent)
	if err != nil {
		return relative{}, false
	}
	return relative{parent, unix.ByteSliceToString(info.Proc.P_comm[:])}, true
}
