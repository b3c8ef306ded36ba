//go:build unix

package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

func TestRunTellsWhatTheChildSaid(t *testing.T) {
	err := Run(t.Context(), Command{Args: []string{"sh", "-c", "echo out; echo no such luck >&2; exit 3"}, Env: os.Environ()})
	failed := new(Error)
	if !errors.As(err, &failed) || failed.Stderr != "no such luck" {
		t.Fatalf("error = %v", err)
	}
	exit := new(exec.ExitError)
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("cause = %v", failed.Err)
	}
	if _, err := Output(t.Context(), Command{Args: []string{filepath.Join(t.TempDir(), "missing")}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
}

func TestOutput(t *testing.T) {
	out, err := Output(t.Context(), Command{Args: []string{"sh", "-c", "echo $NAME; pwd"}, Env: []string{"NAME=value", "PATH=" + os.Getenv("PATH")}, Dir: "/"})
	if err != nil || string(out) != "value\n/\n" {
		t.Errorf("output = %q, %v", out, err)
	}
}

// TestCancelEndsTheWholeGroup starts a shell that ignores SIGINT and has a child,
// and wants both gone.
func TestCancelEndsTheWholeGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	go func() {
		for {
			if b, _ := os.ReadFile(pids); bytes.Count(b, []byte("\n")) == 2 {
				cancel(stop)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	err := Run(ctx, Command{
		Args: []string{"sh", "-c", `trap "" INT; sleep 100 & echo $! >>"$0"; echo $$ >>"$0"; wait; wait`, pids}, Env: os.Environ(),
	})
	if !errors.Is(err, stop) {
		t.Fatalf("error = %v, want the context's cause", err)
	}
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		gone := false
		for range 100 { // the kernel takes a moment
			if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) || zombie(pid) {
				gone = true
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !gone {
			t.Errorf("process %d is still there", pid)
		}
	}
}

// zombie says that a process has ended and only waits for somebody to ask.
func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(b), ") Z ")
}

func TestTailKeepsTheEnd(t *testing.T) {
	k := &tail{max: 10}
	for range 5 {
		if n, err := k.Write([]byte("0123456")); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	if k.String() != "4560123456" {
		t.Errorf("kept %q", k.String())
	}
}

// TestLauncher runs this test binary behind a program called "go", ends that
// program, and wants the context of the test binary to end.
func TestLauncher(t *testing.T) {
	if os.Getenv("LAUNCHED") != "" {
		ctx, release := WithLauncher(context.Background())
		defer release()
		os.Stdout.WriteString("ready\n")
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrLauncherGone) {
				os.WriteFile(os.Getenv("LAUNCHED"), []byte("gone"), 0o600)
			}
		case <-time.After(20 * time.Second):
		}
		return
	}
	if self() == 0 {
		t.Skip("nothing is watched on this system")
	}
	dir := t.TempDir()
	result, launcher := filepath.Join(dir, "result"), filepath.Join(dir, "go")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(launcher, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := testtool.Command(t, launcher, "-c", `"$0" -test.run='^TestLauncher$'; exit $?`, exe)
	cmd.Env = append(os.Environ(), "LAUNCHED="+result)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 6)
	if _, err := out.Read(buf); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for range 500 {
		if b, _ := os.ReadFile(result); string(b) == "gone" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the end of the launcher went unnoticed")
}
