package build

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/debugimage"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/plan"
)

// LockResult is the result of Lock.
type LockResult struct {
	// File is thimble.lock.json, relative to the working directory.
	File string `json:"file"`
	// Changes are the differences to what was pinned before.
	Changes []plan.LockChange `json:"changes"`
	Lock    *plan.Lock        `json:"lock"`
}

// Lock finds the current content of the images' bases and pins it in thimble.lock.json at the
// module's root. It covers the platforms of a release and of this machine, or
// Options.Platforms. The file is written completely or not at all. No other function pins: a
// build uses what is pinned. If nothing has changed, the file stays the same, byte for byte, and
// there are no Changes. Without a file, it is an error if there is nothing to pin.
func Lock(ctx context.Context, o Options) (*LockResult, error) {
	c, err := begin(ctx, o, making{pins: true}, false)
	if err != nil {
		return nil, err
	}
	in := resolve.InputOf(c.Session)
	in.Expanded, in.Unlocked = o.FromPlan, true
	if len(in.Platforms) == 0 {
		in.Platforms = c.Config.Platforms
	}
	draft, err := resolve.Start(ctx, in)
	if err != nil {
		return nil, err
	}
	platforms := draft.Plan.Platforms
	_, arch := draft.Go.Host()
	if here := (plan.Platform{OS: "linux", Architecture: arch}); len(o.Platforms) == 0 &&
		!slices.Contains(platforms, here) {
		platforms = append(platforms, here)
	}
	file := filepath.Join(draft.Dir, lock.File)
	before, malformed, err := lock.Previous(file)
	if err != nil {
		return nil, err
	}
	if malformed != nil {
		c.Progress.Notice(malformed.Error() + "; a new one is made")
	}
	uses := lock.Uses(draft.Plan.Images, platforms)
	more, err := debugimage.Uses(ctx, c.Session, platforms)
	if err != nil {
		return nil, err
	}
	after, err := base.Lock(ctx, pipeline.BaseSources(c.Session, pipeline.Workspace{}), base.Request{
		Uses: append(uses, more...), Suite: draft.Suite, Previous: before,
		Signatures: pipeline.BaseSignatures(c.Session, draft, o.VerifyWithin), Now: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	if len(after.Debian) == 0 && len(after.Images) == 0 && before == nil {
		return nil, errors.New(
			"lock: every image uses scratch, so there is nothing to pin; choose a Base in Config")
	}
	if err := lock.Write(file, after); err != nil {
		return nil, err
	}
	shown, err := filepath.Rel(c.Workdir, file)
	if err != nil {
		shown = file
	}
	return &LockResult{File: filepath.ToSlash(shown), Changes: lock.Compare(before, after), Lock: after}, nil
}
