package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// LockResult is the result of Lock.
type LockResult struct {
	// File is thimble.lock.json, relative to the working directory.
	File string `json:"file"`
	// Changes are the differences to what was pinned before.
	Changes []LockChange `json:"changes"`
	Lock    *plan.Lock   `json:"lock"`
}

// LockChange is a package or an image whose pin has changed; its String is a line of a diff.
type LockChange = lock.Change

// Lock finds the current content of the images' bases and pins it in thimble.lock.json at the
// module's root. It covers the platforms of a release and of this machine, or
// Options.Platforms. The file is written completely or not at all. No other function pins: a
// build uses what is pinned. If nothing has changed, the file stays the same, byte for byte.
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
	after, err := base.Lock(ctx, baseSources(r.Session, nil, ""), base.Request{
		Uses: append(uses, more...), Suite: r.resolved.Suite, Previous: before,
		Signatures: r.baseSignatures(), Now: time.Now(),
	})
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
