package process

import "syscall"

// dieWithParent makes the kernel end the child if this process is killed and cannot do it.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
