package process

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onThread calls f on a thread that nothing else uses afterwards. The thread does not end before
// the process: the kernel sends a child its death signal (prctl(2), PR_SET_PDEATHSIG) when the
// thread ends that started it, and this thread may have started other children before. It is not
// the first thread, which represents the process: if that was in a domain, processes in that domain
// could read this process.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			onThread(f) // while this goroutine has the first thread
			runtime.UnlockOSThread()
			close(done)
			return
		}
		f()
		close(done)
		select {} // keeps the thread
	}()
	<-done
}

// confine puts the calling thread, and all processes that it starts, into a Landlock domain.
// Processes in a domain cannot read the memory or the environment of processes outside
// (landlock(7), "Ptrace restrictions"); root with CAP_PERFMON can still read the environment
// since Linux 6.17. A domain must restrict something, so confine chooses little: abstract sockets
// of processes outside cannot be connected to, or, before Linux 6.12, file systems cannot be
// mounted. Without root, processes in it gain no rights by sudo and similar programs. If the
// kernel has no Landlock, confine does nothing.
func confine() error {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0,
		unix.LANDLOCK_CREATE_RULESET_VERSION)
	// It is not in the kernel, it is switched off, or a container's filter refuses it.
	if errno == unix.ENOSYS || errno == unix.EOPNOTSUPP || errno == unix.EPERM {
		return nil
	}
	if errno != 0 {
		return fmt.Errorf("find Landlock's version: %w", errno)
	}
	// 24 bytes are the fields of ABI 6.
	rules, size := unix.LandlockRulesetAttr{Scoped: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET}, uintptr(24)
	if abi < 6 {
		rules, size = unix.LandlockRulesetAttr{Handled_access_fs: unix.LANDLOCK_ACCESS_FS_MAKE_CHAR}, 8
	}
	set, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), size, 0)
	if errno != 0 {
		return fmt.Errorf("make rules for Landlock: %w", errno)
	}
	defer unix.Close(int(set))
	if abi < 6 {
		if err := allowEverywhere(set); err != nil {
			return err
		}
	}
	_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0)
	if errno == unix.EPERM {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("set no_new_privs: %w", err)
		}
		_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0)
	}
	if errno != 0 {
		return fmt.Errorf("enter a domain of Landlock: %w", errno)
	}
	return nil
}

// allowEverywhere allows the rights of a ruleset below the root folder.
func allowEverywhere(set uintptr) error {
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the root folder: %w", err)
	}
	defer unix.Close(root)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: unix.LANDLOCK_ACCESS_FS_MAKE_CHAR,
		Parent_fd: int32(root)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, set, unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("allow the root folder: %w", errno)
	}
	return nil
}
