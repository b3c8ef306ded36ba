package build

import (
	"context"
	"errors"

	"github.com/thimble-build/thimble/build/internal/debugimage"
	"github.com/thimble-build/thimble/build/internal/resolve"
)

// Debug makes images of the same services with a debugger. They are compiled without
// optimisation, keep their symbols, and are started by dlv, which listens on port 40000. They
// also have a shell and busybox's commands. A toolbox is an image with the symbols of a release
// but without the service. It joins the container of a running release.
//
// The tags end in -debug and -toolbox, and nothing is pushed. Tests do not run, because the bug
// under debugging may make them fail. The repository's tools pin dlv, its lock file pins busybox.
func Debug(ctx context.Context, o DebugOptions) (result *Result, err error) {
	kind := debugimage.Kind{Toolbox: o.Toolbox}
	m := making{images: true, pins: true, skipTests: true, load: o.Load, archive: o.Archive, summary: o.Summary}
	c, err := begin(ctx, o.Options, m, false)
	if err != nil {
		return nil, err
	}
	draft, err := c.resolve(ctx, false)
	if err != nil {
		return nil, err
	}
	g := draft.Go
	defer func() { err = c.Unfetched(g, err) }()
	from, draft, err := c.findTools(ctx, draft, kind)
	if err != nil {
		return nil, err
	}
	to, err := c.open(ctx, draft, kind.Variant(), false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	extras, err := from.Extras(ctx, c.Session, draft.Plan, to.Workspace, to.compiled)
	if err != nil {
		return nil, err
	}
	made, err := c.build(ctx, draft, to, extras)
	if err != nil {
		return nil, err
	}
	defer c.done(made)
	err = c.Stage("write "+c.Config.Dist, func() (string, error) {
		if result, err = c.stage(ctx, draft, to, made, kind.Suffix(), nil); err != nil {
			return "", err
		}
		if result.Instructions, err = kind.Instructions(to.dist, c.Config.Dist, made); err != nil {
			return "", err
		}
		return "", c.commit(ctx, to, made, result)
	})
	return c.finished(to, result, err)
}

// findTools finds the tools of debug images, and returns the draft of these.
func (c *call) findTools(ctx context.Context, draft *resolve.Draft,
	kind debugimage.Kind) (from debugimage.Source, debugged *resolve.Draft, err error) {
	err = c.Stage("find tools", func() (string, error) {
		from, debugged, err = debugimage.Find(ctx, c.Session, draft, kind)
		if err != nil {
			return "", err
		}
		return "delve " + from.Delve.Version, nil
	})
	return from, debugged, err
}
