package targets_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestStopped sends signals to the outermost process while a test of the service
// hangs, and wants everything that was started to end, and no trace of dist.
func TestStopped(t *testing.T) {
	testtool.OnRequest(t, "minutes: the targets are compiled for every case")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	behindGo := []string{"go", "tool", "mage", "-d", filepath.Join(root, "testdata", "magefile"), "-w", ".", "image"}
	for _, test := range []struct {
		name string
		args []string
		stop func(pid int) error
		// status is the exit status that is wanted, 0 for none: of a tool that a
		// signal ends the go command makes 0.
		status int
	}{
		{"SIGTERM to go tool mage", behindGo, func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }, 0},
		{"SIGKILL to go tool mage", behindGo, func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, -1},
		{"Ctrl-C in a terminal", behindGo, func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) }, 1},
		{"SIGINT to the compiled magefile", []string{filepath.Join(tools, "mage"), "image"}, func(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }, 1},
		{"SIGTERM to the compiled magefile", []string{filepath.Join(tools, "mage"), "image"}, func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }, 143},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := filepath.Join(t.TempDir(), "repo")
			if err := os.CopyFS(repo, os.DirFS(filepath.Join(root, "testdata", "modules", "hello"))); err != nil {
				t.Fatal(err)
			}
			running := filepath.Join(t.TempDir(), "running")
			hang := fmt.Sprintf("package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n\t\"time\"\n)\n\nfunc TestHang(t *testing.T) {\n\tos.WriteFile(%q, nil, 0o600)\n\ttime.Sleep(time.Hour)\n}\n", running)
			if err := os.WriteFile(filepath.Join(repo, "hang_test.go"), []byte(hang), 0o600); err != nil {
				t.Fatal(err)
			}
			mark := fmt.Sprintf("THIMBLE_STOP_TEST=%d.%d", os.Getpid(), time.Now().UnixNano())
			temp := t.TempDir()
			cmd := testtool.Command(t, test.args[0], test.args[1:]...)
			cmd.Env = append(append(os.Environ(), environment()...), "XDG_CACHE_HOME="+t.TempDir(), "TMPDIR="+temp, mark)
			cmd.Dir = root
			if test.args[0] != "go" {
				cmd.Dir = repo
			} else {
				cmd.Args[6] = repo
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				for _, pid := range marked(mark) {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}()
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			wait(t, "the hanging test to run", func() bool {
				select {
				case err := <-ended:
					t.Fatalf("it ended by itself: %v\n%s", err, out.String())
				default:
				}
				_, err := os.Stat(running)
				return err == nil
			})
			if err := test.stop(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			wait(t, "everything to end", func() bool { return len(marked(mark)) == 0 })
			<-ended
			if got := cmd.ProcessState.ExitCode(); test.status != 0 && got != test.status {
				t.Errorf("the exit status is %d, want %d", got, test.status)
			}
			if test.status == 1 && !strings.Contains(out.String(), "thimble: stopped: interrupt") {
				t.Errorf("it does not say that it was interrupted:\n%s", out.String())
			}
			if exists(filepath.Join(repo, "dist")) {
				t.Error("there is a dist")
			}
			left, err := filepath.Glob(filepath.Join(temp, "go-build*"))
			killed := test.status == -1 // the go command itself, which then cleans nothing
			if err != nil || len(left) > 0 && !killed {
				t.Errorf("the go command left %q, %v", left, err)
			}
		})
	}
}

// wait fails the test when something has not happened after a long time.
func wait(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < testtool.Limit(); time.Sleep(50 * time.Millisecond) {
		if happened() {
			return
		}
	}
	t.Fatalf("waited %v for %s", testtool.Limit(), what)
}

// marked are the processes that have a variable in their environment, but for
// those that have ended and wait to be asked.
func marked(mark string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && strings.Contains(string(env)+"\x00", mark+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}
