package source

import (
	"io/fs"
	"syscall"
	"time"
)

func inodeAndChange(info fs.FileInfo) (uint64, time.Duration) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino, time.Duration(s.Ctimespec.Nano())
	}
	return 0, 0
}
