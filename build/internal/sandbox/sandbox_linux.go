package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// System returns the folders and files that compilers and other programs of the system need. None
// of them has a secret of the user: of /etc, it has only the files that the C library reads.
func System() Rules {
	return Rules{
		Read: []string{
			"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
			"/gnu/store", "/run/current-system/sw",
			"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
			"/etc/alternatives",
			"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime", "/etc/ssl/certs",
			"/etc/pki/tls/certs", "/etc/ca-certificates",
			"/sys/kernel/mm/transparent_hugepage", "/sys/devices/system/cpu", "/dev/random",
			"/dev/urandom", "/dev/zero",
		},
		Write: []string{"/dev/null"},
	}
}

// Rights of Landlock. A program cannot make devices, sockets and named pipes.
const (
	readFile = ll.AccessFSExecute | ll.AccessFSReadFile
	read     = readFile | ll.AccessFSReadDir
	write    = ll.AccessFSWriteFile | ll.AccessFSTruncate
	change   = read | write | ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSym | ll.AccessFSRefer
)

// minABI is the first version of Landlock that keeps a program from truncating files.
const minABI = 3

// ruleset makes a Landlock ruleset of the rules.
func ruleset(rules Rules) (*os.File, error) {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil {
		return nil, fmt.Errorf("the kernel does not have it, or it is switched off: %w", err)
	}
	if abi < minABI {
		return nil, fmt.Errorf(
			"the kernel has version %d of it, and version %d is the first that prevents truncation", abi,
			minABI)
	}
	var all []landlock.Rule
	add := func(paths []string, file, folder landlock.AccessFSSet) error {
		for _, path := range paths {
			info, err := os.Stat(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			rights := file
			if info.IsDir() {
				rights = folder
			}
			all = append(all, landlock.PathAccess(rights, path))
		}
		return nil
	}
	if err := errors.Join(add(rules.Read, readFile, read),
		add(rules.Write, readFile|write, change)); err != nil {
		return nil, err
	}
	// Further restrictions of newer kernels (devices' ioctls, signals, sockets) are used, too.
	fd, _, err := landlock.V9.BestEffort().NewRulesetFD(all...)
	if err != nil {
		return nil, err
	}
	if fd < 0 {
		return nil, errors.New("there is nothing that it could restrict")
	}
	return os.NewFile(uintptr(fd), "landlock ruleset"), nil
}

// Entry says which mechanisms Enter applies.
type Entry struct {
	// Ruleset is the file descriptor of a Landlock ruleset; 0 for none.
	Ruleset int
	Calls   bool
}

var flags = map[Mechanism]uintptr{Network: unix.CLONE_NEWNET, Processes: unix.CLONE_NEWPID,
	IPC: unix.CLONE_NEWIPC}

// Command prepares a child for the mechanisms before it is started: it gets namespaces and a
// separate session, and the file descriptor of a ruleset. The returned function releases the
// parent's resources after the child has started.
func Command(cmd *exec.Cmd, rules Rules, mechanisms []Mechanism) (Entry, func(), error) {
	entry := Entry{Calls: slices.Contains(mechanisms, Calls)}
	release := func() {}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	attr := cmd.SysProcAttr
	attr.Setsid, attr.Setpgid = true, false // no terminal to write to
	attr.Pdeathsig = unix.SIGKILL           // the first process of a pid namespace ignores other signals
	for _, m := range mechanisms {
		attr.Cloneflags |= flags[m]
	}
	if attr.Cloneflags != 0 {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		uid, gid := os.Getuid(), os.Getgid()
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	}
	if slices.Contains(mechanisms, Files) {
		f, err := ruleset(rules)
		if err != nil {
			return entry, release, err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		entry.Ruleset = 2 + len(cmd.ExtraFiles)
		release = func() { _ = f.Close() } // nothing was written
	}
	return entry, release, nil
}

// Enter applies the mechanisms of the entry to this process, and executes a program in its place.
// It returns only if that fails.
func Enter(entry Entry, args, env []string) error {
	// The thread that calls exec is the one that remains.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("enter the sandbox: no new privileges: %w", err)
	}
	program, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("enter the sandbox: %w", err)
	}
	if entry.Ruleset > 0 {
		if err := ll.LandlockRestrictSelf(entry.Ruleset, 0); err != nil {
			return fmt.Errorf("enter the sandbox: Landlock: %w", err)
		}
	}
	// File descriptors that were left open for this process are not inherited.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil &&
		!errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("enter the sandbox: close the open files: %w", err)
	}
	if entry.Calls {
		if err := forbid(forbidden); err != nil {
			return fmt.Errorf("enter the sandbox: seccomp: %w", err)
		}
	}
	return fmt.Errorf("enter the sandbox: execute %s: %w", args[0], unix.Exec(program, args, env))
}
