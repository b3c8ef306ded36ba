package store

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Reading returns a context for reading signatures and what they are about. It ends with an
// error that begins with what was asked for when the time is over: zero means ten minutes.
// read takes the limit away, once all of this has been read; done ends the context.
func Reading(ctx context.Context, asked string, within time.Duration) (reading context.Context, read, done func()) {
	within = cmp.Or(within, 10*time.Minute)
	reading, giveUp := context.WithCancelCause(ctx)
	timer := time.AfterFunc(within, func() { giveUp(fmt.Errorf("%s: what is said of it was not read within %s", asked, within)) })
	read = func() { timer.Stop() }
	return reading, read, func() {
		read()
		giveUp(nil)
	}
}
