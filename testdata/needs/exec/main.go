// exec starts another program.
package main

import (
	"context"
	"fmt"
	"os/exec"
)

func main() {
	for _, cmd := range []*exec.Cmd{
		exec.Command("/bin/echo", "hello"),
		exec.CommandContext(context.Background(), "/bin/echo", "hello"),
	} {
		fmt.Println(cmd.Run())
	}
}
