// exec starts another program.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	for _, cmd := range []*exec.Cmd{
		exec.Command("/bin/echo", "hello"),
		exec.CommandContext(context.Background(), "/bin/echo", "hello"),
	} {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		fmt.Println(cmd.Run())
	}
}
