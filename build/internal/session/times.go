package session

import (
	"slices"
	"sync"
	"time"

	"github.com/thimble-build/thimble/build/report"
)

// Times records the duration of each stage and passes everything on to Progress.
type Times struct {
	Progress
	mu     sync.Mutex
	stages []report.Stage
}

// Start implements Progress.
func (t *Times) Start(name string) func(string, error) {
	end, began := t.Progress.Start(name), time.Now()
	return func(outcome string, err error) {
		end(outcome, err)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.stages = append(t.stages, report.Stage{Name: name, Elapsed: time.Since(began)})
	}
}

// Ended returns the stages in the order in which they ended.
func (t *Times) Ended() []report.Stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.stages)
}
