package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestConfined wants a confined child to read no environment but those of its own children,
// and everything else to be as it was: what it runs, writes and mounts.
func TestConfined(t *testing.T) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		testtool.Require(t, false, "a kernel with Landlock: "+errno.Error())
	}
	// As root without the right to read any process, which is not kept from it.
	var as []string
	if os.Geteuid() == 0 {
		as = []string{testtool.Program(t, "setpriv"), "--bounding-set=-perfmon,-sys_admin"}
	}
	shell := func(confined bool, script string) string {
		t.Helper()
		out, err := Output(t.Context(), Command{Args: append(as[:len(as):len(as)], "sh", "-c", script, t.TempDir()), Env: os.Environ(), Confined: confined})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(out)), " ")
	}
	// Wherever the child is started from, also where that would be the first thread.
	read := fmt.Sprintf("if cat /proc/%d/environ >/dev/null 2>&1; then echo reads; else echo not; fi", os.Getpid())
	for range 20 {
		if got := shell(true, read); got != "not" {
			t.Fatalf("a confined child %s this process's environment", got)
		}
	}
	script := "sleep 9 & child=$!; for pid in self $child; do cat /proc/$pid/environ >/dev/null && echo reads; done\n" + read + `
kill $child && echo kills; echo text >"$0/file" && echo writes; ` + fmt.Sprintf("ls /proc/%d/task >/dev/null && echo lists", os.Getpid())
	for confined, want := range map[bool]string{true: "reads reads not kills writes lists", false: "reads reads reads kills writes lists"} {
		if got := shell(confined, script); got != want {
			t.Errorf("confined %v: a child %s; want %s (ABI %d)", confined, got, want, abi)
		}
	}
	// The process itself is in no domain afterwards.
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid())); err != nil || !bytes.Contains(b, []byte("=")) {
		t.Errorf("the parent's environment: %v", err)
	}
}

// The end of a confined command is no death signal for a child that its thread started before.
func TestConfinedEndsNoOtherChild(t *testing.T) {
	for range 20 {
		child := exec.CommandContext(t.Context(), "sleep", "0.05")
		ownGroup(child)
		if err := start(child); err != nil {
			t.Fatal(err)
		}
		// its thread is very likely this one
		if err := Run(t.Context(), Command{Args: []string{"true"}, Confined: true}); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err != nil {
			t.Fatalf("the other child: %v", err)
		}
	}
}
