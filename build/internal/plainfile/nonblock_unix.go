//go:build unix

package plainfile

import "syscall"

// nonblock keeps open from waiting for the writer of a named pipe (POSIX, open: O_NONBLOCK).
const nonblock = syscall.O_NONBLOCK
