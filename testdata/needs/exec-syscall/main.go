// exec-syscall starts another program without os/exec, then becomes it.
package main

import (
	"fmt"
	"syscall"
)

func main() {
	pid, err := syscall.ForkExec("/bin/echo", []string{"echo", "hello"}, nil)
	if err == nil {
		_, err = syscall.Wait4(pid, nil, 0, nil)
	}
	fmt.Println(err)
	fmt.Println(syscall.Exec("/bin/echo", []string{"echo", "hello"}, nil))
}
