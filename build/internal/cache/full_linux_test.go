package cache_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// On a full disk a value is made and not kept; a layer, which needs its file, is
// an error that says so. Room lets both work again.
func TestDiskFull(t *testing.T) {
	testtool.Require(t, os.Getuid() == 0, "root, to mount a file system")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		testtool.Require(t, false, "leave to mount a file system: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil { // layers stay open
			t.Error(err)
		}
	})
	c, big := open(t, dir), string(noise(1<<20))
	for range 2 {
		if !value(t, c, "k", big) {
			t.Error("a value was kept where there is no room")
		}
	}
	for compression := range mediaTypes {
		_, err := c.Layer(t.Context(), "k", compression, func(w io.Writer) error {
			_, err := io.WriteString(w, big)
			return err
		})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: the error is %v", compression, err)
		}
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
	l, _ := layer(t, c, "small", plan.Gzip, []byte("small"))
	check(t, l, []byte("small"))
}
