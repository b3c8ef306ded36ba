package build

import (
	"github.com/thimble-build/thimble/build/internal/offline"
)

// ErrOffline is the error of a run with Options.Offline that needs something from another
// machine.
var ErrOffline = offline.ErrOffline

// unfetched calls Session.Unfetched, with the go command once it is known.
func (r *run) unfetched(err error) error {
	if r.resolved == nil {
		return r.Unfetched(nil, err)
	}
	return r.Unfetched(r.resolved.Go, err)
}
