package testtool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Command is exec.Command for a test: the program is ended when the test ends, or when it
// takes longer than Limit, which fails the test.
func Command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	return commandWithin(t, Limit(), program, args...)
}

func commandWithin(t testing.TB, limit time.Duration, program string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 10 * time.Second // a grandchild may hold the output
	cmd.Cancel = func() error {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("waited %v for %s %s", limit, program, strings.Join(args, " "))
		}
		return cmd.Process.Kill()
	}
	return cmd
}

// Limit is how long a test waits for another process. It is shorter than go test's limit of 10
// minutes, which does not say what a test waited for.
func Limit() time.Duration {
	if Asked() {
		return 15 * time.Minute
	}
	return 4 * time.Minute
}

// Output is Command outside of a test, such as in TestMain: it returns a program's standard
// output. env is added to this process's environment.
func Output(dir string, env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), Limit(),
		fmt.Errorf("no result after %v", Limit()))
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), env...), 10*time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "),
			errors.Join(context.Cause(ctx), err), &stderr)
	}
	return string(out), nil
}
