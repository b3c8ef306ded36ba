//go:build unix && !linux

package process

import "syscall"

// dieWithParent does nothing: only Linux has a signal for the parent's death.
func dieWithParent(*syscall.SysProcAttr) {}
