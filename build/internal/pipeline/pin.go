package pipeline

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// ResolveInput is resolve.InputOf with Pin: an image that is named by its digest is read from its
// registry, once, and what was found is kept in the cache folder.
func ResolveInput(s *session.Session) resolve.Input {
	in := resolve.InputOf(s)
	in.Pin = func(ctx context.Context, ref string, platforms []plan.Platform) (plan.ImageLock, error) {
		file := filepath.Join(s.Cache, "images", fmt.Sprintf("%x.lock.json", sha256.Sum256([]byte(ref))))
		kept, _, err := lock.Previous(file)
		if err != nil {
			return plan.ImageLock{}, err
		}
		if kept != nil && len(kept.Images) == 1 && kept.Images[0].Reference == ref &&
			covers(kept.Images[0], platforms) {
			return kept.Images[0], nil
		}
		var uses []lock.Use
		for _, p := range platforms {
			uses = append(uses, lock.Use{Base: ref, Platform: p})
		}
		made, err := base.Lock(ctx, BaseSources(s, Workspace{}), base.Request{Uses: uses, Now: time.Now()})
		if err != nil {
			return plan.ImageLock{}, err
		}
		found := made.Images[0]
		for i := range found.Platforms {
			found.Platforms[i].SBOMs = nil // they are not part of the digest; a lock file can pin them
		}
		made.Images = []plan.ImageLock{found}
		if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
			err = lock.Write(file, made)
		}
		return found, err
	}
	return in
}

// covers reports whether a lock's entry has all platforms.
func covers(l plan.ImageLock, platforms []plan.Platform) bool {
	for _, p := range platforms {
		if !slices.ContainsFunc(l.Platforms, func(o plan.ImagePlatformLock) bool { return o.Platform == p }) {
			return false
		}
	}
	return true
}
