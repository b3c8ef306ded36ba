//go:build !windows

package atomicfile

import "os"

// Rename is os.Rename, which replaces an existing file. On Windows it retries for a short while
// if another program has one of the two files open.
func Rename(from, to string) error { return os.Rename(from, to) }
