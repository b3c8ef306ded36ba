package debugimage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// pinBusybox returns a lock with busybox for the platforms for which all, the repository's lock, has
// none; nil if there are none. It is a file in the cache folder, which is made once, because a new
// file in the repository would make its tree dirty.
func pinBusybox(ctx context.Context, s *session.Session, all *plan.Lock, suite string,
	platforms []plan.Platform) (*plan.Lock, error) {
	var missing []lock.Use
	for _, p := range platforms {
		if _, err := findBusybox(all, suite, p); err != nil {
			missing = append(missing, busyboxOn(p))
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	file := filepath.Join(s.Cache, "debug", suite+".lock.json")
	own, _, err := lock.Previous(file)
	if err != nil {
		return nil, fmt.Errorf("find busybox: %w", err)
	}
	unknown := slices.ContainsFunc(missing, func(u lock.Use) bool {
		_, err := findBusybox(own, suite, u.Platform)
		return err != nil
	})
	if unknown {
		own, err = base.Lock(ctx, pipeline.BaseSources(s, pipeline.Workspace{}), base.Request{
			Uses: missing, Suite: suite, Previous: own, Now: time.Now(),
		})
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file), 0o755)
		}
		if err == nil {
			err = lock.Write(file, own)
		}
		if err != nil {
			return nil, fmt.Errorf("find busybox: %w", err)
		}
	}
	return own, nil
}
