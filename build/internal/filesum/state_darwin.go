package filesum

import (
	"io/fs"
	"syscall"
)

func stateOf(info fs.FileInfo) (State, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return State{}, false
	}
	return State{
		Device: uint64(s.Dev), Inode: s.Ino, Size: s.Size,
		Modified: s.Mtimespec.Nano(), Changed: s.Ctimespec.Nano(),
	}, true
}
