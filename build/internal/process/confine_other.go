//go:build !linux

package process

func onThread(f func()) { f() }

// confine does nothing: only Linux has domains of processes.
func confine() error { return nil }
