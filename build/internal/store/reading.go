package store

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Reading returns a context for reading signatures and the signed content. When the time is
// over, it ends with an error that begins with asked; zero means ten minutes. The caller calls
// read when everything is read, which removes the limit, and done to end the context.
func Reading(ctx context.Context, asked string,
	within time.Duration) (reading context.Context, read, done func()) {
	within = cmp.Or(within, 10*time.Minute)
	reading, giveUp := context.WithCancelCause(ctx)
	timer := time.AfterFunc(within, func() {
		giveUp(fmt.Errorf("%s: its signatures and attestations were not read within %s", asked, within))
	})
	read = func() { timer.Stop() }
	return reading, read, func() {
		read()
		giveUp(nil)
	}
}
