package build

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// baseSources returns where bases come from, by a session's settings; c caches what was read.
func baseSources(s *session.Session, c *cache.Cache, cacheVersion string) base.Sources {
	return base.Sources{
		Path: s.Path,
		Open: func(ctx context.Context, repository string) (*registry.Repository, error) {
			return store.OpenRepository(ctx, s, repository, nil, true)
		},
		Debian: debianMirror(s), Cache: c, CacheVersion: cacheVersion,
		Compression: cmp.Or(s.Config.Compression, plan.Gzip),
		Stage:       s.Stage, Notice: s.Progress.Notice,
	}
}

// baseSignatures returns the signatures that the images of the plan require of their bases.
func (r *run) baseSignatures() base.Signatures {
	return base.Signatures{
		Wanted:      base.WantedBy(r.resolved.Plan.Images, r.resolved.Signed),
		TrustedRoot: r.Config.Release.TrustedRoot, Within: r.asked.VerifyWithin,
	}
}

// debianMirror returns the mirror for Debian packages.
func debianMirror(s *session.Session) debian.Mirror {
	return debian.Mirror{URL: s.Config.Debian.Mirror, Client: s.Client(), Cache: filepath.Join(s.Cache, "debian")}
}

// fetchBases downloads everything the bases of a plan are made of into the session's cache
// folder.
func fetchBases(ctx context.Context, s *session.Session, p *plan.Plan) error {
	if p.Lock == nil {
		return nil
	}
	content, err := cache.Open(filepath.Join(s.Cache, "content"), cache.Options{})
	if err != nil {
		return err
	}
	return base.Fetch(ctx, baseSources(s, content, ""), p)
}

// baseUse returns the base that a unit's image uses.
func baseUse(u *unit) lock.Use {
	return lock.Use{Base: u.image.Base, Packages: u.image.Packages, Platform: u.platform}
}
