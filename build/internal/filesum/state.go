// Package filesum calculates the SHA-256 of files. It reads a file once, and remembers the hash
// with the file's stat data, in a store of its caller. As long as the stat data are the same, the
// file is not read again.
//
// The stat data are device, inode, size, and the times of the last change of content and of
// inode, in nanoseconds. No program can set the time of the inode's change (ctime), so a file
// whose content was changed, and whose size and time were restored, is read again. A file that
// was changed just before it was read is not remembered: a second change within one tick of the
// clock would not be visible. Windows has no such time, so every file is read there.
package filesum

import (
	"io/fs"
	"time"
)

// State is the file system's data about a file, without its content.
type State struct {
	Device, Inode     uint64
	Size              int64
	Modified, Changed int64 // nanoseconds since 1970
}

// StateOf returns the state of a regular file; ok is false if the system does not have the time
// of the inode's change.
func StateOf(info fs.FileInfo) (s State, ok bool) {
	if !info.Mode().IsRegular() {
		return State{}, false
	}
	return stateOf(info)
}

// Settled says whether a change after the given time would be visible in the state.
func (s State) Settled(read time.Time) bool {
	tick := 20 * time.Millisecond // the longest tick of Linux is 10 ms
	if s.Changed%int64(time.Second) == 0 {
		tick = 2 * time.Second // a file system with a resolution of seconds
	}
	return s.Changed < read.Add(-tick).UnixNano()
}
