package pipeline

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/plan"
)

// Workspace is what the runs on this machine share.
type Workspace struct {
	// Cache has the layers and documents. CacheVersion is the prefix of the keys of values that
	// another build of thimble must not use.
	Cache        *cache.Cache
	CacheVersion string
	// Modules is the module cache.
	Modules *modsum.Cache
	// Folder is the compiler's folder (see compile.Folder).
	Folder string
	// HashAll hashes every file that is used and ignores remembered hashes.
	HashAll bool
}

// OpenWorkspace opens the workspace for a draft. variant is that of compile.Folder.
func OpenWorkspace(ctx context.Context, s *session.Session, draft *resolve.Draft, variant string,
	hashAll bool) (w Workspace, err error) {
	w.HashAll, w.Folder = hashAll, compile.Folder(s.Cache, s.Dist, variant)
	if w.Cache, err = cache.Open(filepath.Join(s.Cache, "content"),
		cache.Options{HashAll: hashAll}); err != nil {
		return w, err
	}
	w.Modules = modsum.Open(draft.Go.Setting("GOMODCACHE"), w.Cache, hashAll)
	w.CacheVersion, err = kitCacheVersion(ctx, draft.Plan.Kit)
	return w, err
}

// Trim removes what was not used for long from the session's cache folder.
func (w Workspace) Trim(s *session.Session) error {
	return cmp.Or(w.Cache.Trim(DebianMirror(s).Cache), compile.TrimFolders(w.Folder))
}

// Memo caches a value for this build of thimble.
func (w Workspace) Memo(key string, make func() ([]byte, error)) ([]byte, error) {
	return w.Cache.Value(w.CacheVersion+key, make)
}

// LicenseMemo is Memo for the licences of modules. Reading a licence that is not cached needs more
// heap than all else.
func (w Workspace) LicenseMemo(s *session.Session) license.Memo {
	return func(key string, make func() ([]byte, error)) ([]byte, error) {
		return w.Memo(key, func() ([]byte, error) {
			s.NeedHeap(license.Heap)
			return make()
		})
	}
}

// BaseSources returns where bases come from, by a session's settings. Only base.Lock works with an
// empty workspace.
func BaseSources(s *session.Session, w Workspace) base.Sources {
	return base.Sources{
		Path: s.Path,
		Open: func(ctx context.Context, repository string) (*registry.Repository, error) {
			return store.OpenRepository(ctx, s, repository, nil, true)
		},
		Debian: DebianMirror(s), Cache: w.Cache, CacheVersion: w.CacheVersion,
		Compression: cmp.Or(s.Config.Compression, plan.Gzip),
		Stage:       s.Stage, Notice: s.Progress.Notice,
	}
}

// BaseSignatures returns the signatures that the images of a draft require of their bases. They are
// read for no longer than within; zero means ten minutes.
func BaseSignatures(s *session.Session, draft *resolve.Draft, within time.Duration) base.Signatures {
	return base.Signatures{
		Wanted:      base.WantedBy(draft.Plan.Images, draft.Signed),
		TrustedRoot: s.Config.Release.TrustedRoot, Within: within,
	}
}

// DebianMirror returns the mirror for Debian packages.
func DebianMirror(s *session.Session) debian.Mirror {
	return debian.Mirror{URL: s.Config.Debian.Mirror, Client: s.Client(),
		Cache: filepath.Join(s.Cache, "debian")}
}

// FetchBases downloads everything that the bases of a plan are made of into the session's cache
// folder.
func FetchBases(ctx context.Context, s *session.Session, p *plan.Plan) error {
	if p.Lock == nil {
		return nil
	}
	content, err := cache.Open(filepath.Join(s.Cache, "content"), cache.Options{})
	if err != nil {
		return err
	}
	return base.Fetch(ctx, BaseSources(s, Workspace{Cache: content}), p)
}
