package process

import (
	"context"
	"errors"
	"time"
)

// ErrLauncherGone is the cause of a context that WithLauncher ended.
var ErrLauncherGone = errors.New("stopped: the process that started this one has ended")

// WithLauncher returns a context that ends when one of the programs between the user and this
// process ends: mage, and the go command before it. Neither forwards SIGTERM, so their end would
// otherwise go unnoticed. The end of a shell does not count: work may continue in the background.
// The returned function releases the resources.
func WithLauncher(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	chain := launchers()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if len(chain) == 0 {
			return
		}
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, link := range chain {
				if now, ok := parentOf(link.child); !ok || now.pid != link.parent {
					cancel(ErrLauncherGone)
					return
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}

// link is a process and its parent, as they were at the beginning.
type link struct{ child, parent int }

// relative is a process's parent.
type relative struct {
	pid  int
	name string
}

// launchers returns the links from this process up through every mage and go.
func launchers() []link {
	var chain []link
	for child := self(); len(chain) < 8; {
		parent, ok := parentOf(child)
		if !ok || parent.name != "mage" && parent.name != "go" {
			break
		}
		chain = append(chain, link{child, parent.pid})
		child = parent.pid
	}
	return chain
}
