package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// LockResult is what Lock has pinned.
type LockResult struct {
	// File is thimble.lock.json, relative to the working directory.
	File string `json:"file"`
	// Changes are what it pins otherwise than before.
	Changes []LockChange `json:"changes"`
	Lock    *plan.Lock   `json:"lock"`
}

// LockChange is a package or an image that is pinned otherwise than before; its String
// is a line of a diff.
type LockChange = lock.Change

// Lock finds out what the bases of the images are made of now, for the platforms of the
// release's set and of this machine, or for Options.Platforms, and pins it in
// thimble.lock.json at the module's root, which appears whole or not at all. It is the only
// thing that does: a build takes what is pinned. Where nothing has changed, the file
// stays as it is, byte for byte.
func Lock(ctx context.Context, o Options) (*LockResult, error) {
	r, err := start(ctx, o, false)
	if err != nil {
		return nil, err
	}
	in := r.input()
	in.Unlocked = true
	if len(in.Platforms) == 0 {
		in.Platforms = r.Config.Platforms
	}
	if r.resolved, err = resolve.Resolve(ctx, in); err != nil {
		return nil, err
	}
	platforms := r.resolved.Plan.Platforms
	_, arch := r.resolved.Go.Host()
	if here := (plan.Platform{OS: "linux", Architecture: arch}); len(o.Platforms) == 0 && !slices.Contains(platforms, here) {
		platforms = append(platforms, here)
	}
	file := filepath.Join(r.resolved.Dir, lock.File)
	before, err := lock.ReadIfThere(file)
	if errors.Is(err, lock.ErrNewer) {
		return nil, err // a malformed one is replaced
	}
	if err != nil {
		r.Progress.Notice(fmt.Sprintf("%v: it is made anew", err))
		before = nil
	}
	uses := lock.Uses(r.resolved.Plan.Images, platforms)
	more, err := r.debugUses(ctx, platforms)
	if err != nil {
		return nil, err
	}
	after, err := r.lockAll(ctx, before, append(uses, more...))
	if err != nil {
		return nil, err
	}
	if len(after.Debian) == 0 && len(after.Images) == 0 && before == nil {
		return nil, errors.New("lock: every image is on scratch, and there is nothing to pin; choose a Base in Config")
	}
	if err := lock.Write(file, after); err != nil {
		return nil, err
	}
	shown, err := filepath.Rel(r.Workdir, file)
	if err != nil {
		shown = file
	}
	return &LockResult{File: filepath.ToSlash(shown), Changes: lock.Compare(before, after), Lock: after}, nil
}

// lockAll pins the uses: all Debian packages at once, and every image.
func (r *run) lockAll(ctx context.Context, before *plan.Lock, uses []lock.Use) (*plan.Lock, error) {
	after := &plan.Lock{Version: lock.Version}
	var selections []plan.DebianSelection
	images := map[string][]plan.Platform{}
	for _, u := range uses {
		if !lock.IsDebian(u.Base) {
			images[u.Base] = append(images[u.Base], u.Platform)
			continue
		}
		arch, err := debian.Architecture(r.resolved.Suite, u.Platform)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", u, err)
		}
		selections = append(selections, plan.DebianSelection{Base: u.Base, With: u.Packages, Architecture: arch})
	}
	g, gctx := errgroup.WithContext(ctx)
	if len(selections) > 0 {
		g.Go(func() error {
			return r.Stage("lock debian "+r.resolved.Suite, func() (string, error) {
				d, err := debian.Lock(gctx, debian.Request{
					Mirror: debianMirror(r.Session), Suite: r.resolved.Suite, Selections: selections,
					Previous: lock.Suite(before, r.resolved.Suite), Now: time.Now(),
				})
				if err != nil {
					return "", err
				}
				after.Debian = append(after.Debian, d)
				return progress.Count(len(d.Packages), "package"), nil
			})
		})
	}
	locked := make(map[string]*plan.ImageLock, len(images))
	for ref := range images {
		locked[ref] = &plan.ImageLock{}
	}
	for ref, platforms := range images {
		to := locked[ref]
		g.Go(func() error {
			return r.Stage("lock "+ref, func() (string, error) {
				l, err := r.lockImage(gctx, ref, platforms)
				*to = l
				return l.Digest, err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, l := range locked {
		after.Images = append(after.Images, *l)
	}
	return after, nil
}

// lockImage pins one image, and checks its signature where Config asks for one. A
// platform that it has not is for a build to miss, unless it has none of them.
func (r *run) lockImage(ctx context.Context, ref string, platforms []plan.Platform) (plan.ImageLock, error) {
	l, err := baseImages(r.Session, r.cache).Lock(ctx, ref, platforms)
	if missing := new(baseimage.MissingError); errors.As(err, &missing) && len(l.Platforms) > 0 {
		r.Progress.Notice(missing.Error() + ": it is pinned without")
	} else if err != nil {
		return l, err
	}
	for _, want := range r.signers(ref) {
		if err := r.checkBaseSignature(ctx, l, want); err != nil {
			return l, err
		}
	}
	return l, nil
}
