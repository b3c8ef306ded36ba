//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a process group, which gets SIGINT when the context
// ends: the go command cleans up on SIGINT, but not on SIGTERM.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}

// killGroup kills the remaining processes of the child's group. ESRCH means that there are none.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
