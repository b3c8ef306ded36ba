package rerun

import (
	"sync"
	"sync/atomic"

	"github.com/thimble-build/thimble/build/internal/session"
)

// Notices passes on every notice once and, after Only, no stages: the output is then the service's.
type Notices struct {
	session.Progress
	only atomic.Bool
	mu   sync.Mutex
	said map[string]bool
}

// NewNotices returns the progress of builds that follow each other.
func NewNotices(p session.Progress) *Notices {
	return &Notices{Progress: p, said: map[string]bool{}}
}

// Only ends the display of stages.
func (n *Notices) Only() { n.only.Store(true) }

// Start passes on the start of a stage, until Only.
func (n *Notices) Start(task string) func(string, error) {
	if n.only.Load() {
		return func(string, error) {}
	}
	return n.Progress.Start(task)
}

// Notice passes on a notice, unless it was passed on before.
func (n *Notices) Notice(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.said[text] {
		n.said[text] = true
		n.Progress.Notice(text)
	}
}
