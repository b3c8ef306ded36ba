package process

import (
	"context"
	"errors"
	"time"
)

// ErrLauncherGone is the cause of a context that WithLauncher ended.
var ErrLauncherGone = errors.New("stopped: the process that started this one has ended")

// WithLauncher returns a context that ends when one of the programs that stand
// between the user and this process ends: mage, and the go command before it.
// Neither passes SIGTERM on, so without this their end would go unnoticed. A
// shell that ends does not count: work may go on in the background. The
// function returned releases what the watching takes.
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

// link is a process and its parent, as they were when the watching began.
type link struct{ child, parent int }

// relative is a process's parent.
type relative struct {
	pid  int
	name string
}

// launchers are the links from this process up through every mage and go.
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
