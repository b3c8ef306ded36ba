package process

import "syscall"

// dieWithParent asks the kernel to end the child when this process is killed
// and cannot do it itself.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
