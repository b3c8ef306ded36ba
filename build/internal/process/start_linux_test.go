package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestNamespacesOfProtected starts a child with a user namespace from a process that nobody
// may read and that is not root's, and wants it to be as protected afterwards.
func TestNamespacesOfProtected(t *testing.T) {
	if os.Getenv("PROTECTED") != "" {
		protected()
	}
	// Another user cannot run the test program where it is.
	dir, err := os.MkdirTemp("", "thimble-start-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "program")
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := testtool.Command(t, program, "-test.run=^TestNamespacesOfProtected$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PROTECTED=1")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), "no user namespaces") {
		t.Skip("this system gives users no namespaces")
	}
	if err != nil || !strings.HasPrefix(string(out), "protected 0\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func protected() {
	child := func() *exec.Cmd {
		cmd := exec.Command("/bin/true")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}}
		return cmd
	}
	if err := child().Run(); err != nil {
		fmt.Println("no user namespaces:", err)
		os.Exit(1)
	}
	err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	cmd := child()
	if err == nil {
		err = start(cmd)
	}
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		fmt.Println("start:", err)
		os.Exit(1)
	}
	readable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Println("protected", readable)
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
