//go:build !unix

package plainfile

// nonblock is not needed: a folder has no named pipes on such a system.
const nonblock = 0
