//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a group, which is interrupted when the
// context ends: the go command cleans up on SIGINT, and on SIGTERM it does not.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}

// killGroup ends what is left of the child's group. ESRCH means that nothing is.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
