//go:build !windows

package atomicfile

import "os"

// Rename is os.Rename, which replaces a file that is there. On Windows it tries
// again for a short while when another program holds one of the two files.
func Rename(from, to string) error { return os.Rename(from, to) }
