// Command sample-service is a small HTTP service: enough to be worth shipping,
// and small enough to read in ten minutes. See the README for its endpoints.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/thimble-build/thimble/sample-service/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	if err := command.New(os.Stdout, os.Stderr).ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "sample-service: %v\n", err)
		os.Exit(1)
	}
}
