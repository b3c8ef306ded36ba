package sandbox

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a refused system call: always, or if an argument has one of these bits in its lower
// half.
type call struct {
	number uint32
	errno  unix.Errno
	arg    uint32
	bits   uint32
}

// forbidden are the system calls that open a socket, also through io_uring, access the kernel's
// keys, or access another process.
var forbidden = refuse(unix.EACCES, unix.SYS_SOCKET, unix.SYS_IO_URING_SETUP, unix.SYS_ADD_KEY,
	unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN)

func refuse(errno unix.Errno, numbers ...uint32) []call {
	all := make([]call, len(numbers))
	for i, n := range numbers {
		all[i] = call{number: n, errno: errno}
	}
	return all
}

// architectures are those for which the list of system calls is complete: no other call opens
// sockets. A program for another one, such as a 32-bit program, can make no system call.
var architectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
	"loong64": unix.AUDIT_ARCH_LOONGARCH64,
}

// Offsets in struct seccomp_data (seccomp(2)), on the little-endian architectures above.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// forbid makes these system calls fail in this thread, and in the processes that it starts.
func forbid(calls []call) error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return ErrUnsupported
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// jump skips `no` instructions if the test fails.
	jump := func(test uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: yes, Jf: no}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	fail := func(errno unix.Errno) unix.SockFilter { return answer(unix.SECCOMP_RET_ERRNO | uint32(errno)) }
	program := []unix.SockFilter{
		load(offsetArch), jump(unix.BPF_JEQ, arch, 1, 0), fail(unix.EPERM),
		load(offsetNumber),
	}
	if runtime.GOARCH == "amd64" { // the x32 ABI has other numbers
		program = append(program, jump(unix.BPF_JGE, 0x40000000, 0, 1), fail(unix.EPERM))
	}
	for _, c := range calls {
		if c.bits == 0 {
			program = append(program, jump(unix.BPF_JEQ, c.number, 0, 1), fail(c.errno))
			continue
		}
		program = append(program, jump(unix.BPF_JEQ, c.number, 0, 4),
			load(offsetArgs+8*c.arg), jump(unix.BPF_JSET, c.bits, 0, 1), fail(c.errno), load(offsetNumber))
	}
	program = append(program, answer(unix.SECCOMP_RET_ALLOW))
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	runtime.KeepAlive(program)
	return err
}
