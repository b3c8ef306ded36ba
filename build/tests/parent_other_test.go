//go:build !linux

package tests

import (
	"errors"
	"os"
	"time"
)

// waitForOthers does not know here whether the go command runs others.
func waitForOthers(time.Time) error { return errors.New("other packages may still run") }

// tell writes to the terminal.
func tell(text string) error {
	out, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = out.WriteString(text)
	return errors.Join(err, out.Close())
}
