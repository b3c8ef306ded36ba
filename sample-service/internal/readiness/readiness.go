// Package readiness knows whether the service should be sent requests: it
// should while everything it depends on answers and it is not shutting down.
package readiness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Timeout bounds one round of checks.
const Timeout = 2 * time.Second

// Check asks one dependency whether it answers.
type Check struct {
	Name string
	Ping func(context.Context) error
}

// Report is the outcome of one round. Checks maps a dependency's name to "ok"
// or "failed"; the reason is only logged, for it may tell of the inside.
type Report struct {
	Ready    bool              `json:"ready"`
	Draining bool              `json:"draining"`
	Checks   map[string]string `json:"checks,omitempty"`
}

// Gate is safe for concurrent use.
type Gate struct {
	log      *slog.Logger
	checks   []Check
	draining atomic.Bool
}

// New returns a Gate over the checks; with none it is open until Drain.
func New(log *slog.Logger, checks ...Check) *Gate {
	return &Gate{log: log, checks: checks}
}

// Drain closes the gate for good.
func (g *Gate) Drain() { g.draining.Store(true) }

// Report runs all checks at once and returns within Timeout.
func (g *Gate) Report(ctx context.Context) Report {
	if g.draining.Load() {
		return Report{Draining: true}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()

	var (
		group   errgroup.Group
		mu      sync.Mutex
		results = make(map[string]string, len(g.checks))
	)
	for _, c := range g.checks {
		group.Go(func() error {
			err := c.Ping(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				results[c.Name] = "failed"
				if errors.Is(ctx.Err(), context.Canceled) {
					return err // nobody waits any more
				}
				g.log.WarnContext(ctx, "dependency does not answer", "dependency", c.Name, "error", err)
				return fmt.Errorf("ping %s: %w", c.Name, err)
			}
			results[c.Name] = "ok"
			return nil
		})
	}
	err := group.Wait()
	return Report{Ready: err == nil && !g.draining.Load(), Draining: g.draining.Load(), Checks: results}
}
