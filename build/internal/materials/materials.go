// Package materials finds out what the images of a plan are made of: what is compiled for each
// platform, what is copied, and the licences of both. It compares all of that with the commit,
// and detects changes. It asks the go command only when something has changed that affects the
// answer. It writes only into the folder "sources" of Source.Folder.
package materials

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Source is a working tree and what is made from it.
type Source struct {
	Draft *resolve.Draft
	// Folder is the compiler's folder, which keeps the lists of earlier runs. Lists of another
	// Version are not used.
	Folder, Version string
	// Sums remembers the hashes of files that are only copied; if nil, every file is hashed.
	Sums filesum.Store
	// Locked says that the lock file is always used, whatever the images' bases are.
	Locked bool
}

// List is the go command's answer to what is compiled for one platform.
type List struct {
	// Modules are the linked modules by main package (see [golist.Main.Key]).
	Modules map[string][]golist.Module
	// LeftOut are the packages without their files that use cgo, by main package.
	LeftOut map[string][]string
	// Inputs are the inputs of each main package by that key, if digests are stable.
	Inputs map[string]golist.Inputs
	// Compiled lists the files read from working trees. Seen records what the list depends on.
	Compiled golist.Compiled
	Seen     golist.Seen
}

// Lists contains the list of every platform of [Source.Platforms].
type Lists map[plan.Platform]*List

// Folders returns the folders of modules that are compiled for any platform.
func (l Lists) Folders() compile.Folders {
	folders := compile.Folders{}
	for _, list := range l {
		for _, modules := range list.Modules {
			folders.Add(modules)
		}
	}
	return folders
}

// Platforms returns the platforms whose sources are listed: those of the run, and those whose
// inputs the digests depend on.
func (s Source) Platforms() []plan.Platform {
	p := s.Draft.Plan
	all := p.Targets()
	for _, platform := range p.InputPlatforms {
		if !slices.Contains(all, platform) {
			all = append(all, platform)
		}
	}
	return all
}

// List returns an earlier list if it is still valid, else asks the go command. If l is nil, the
// earlier list is that of the last run.
func (s Source) List(ctx context.Context, platform plan.Platform, l *List) (*List, error) {
	var err error
	if l == nil {
		if l, err = s.Kept(platform); err != nil {
			return nil, err
		}
	}
	if l != nil {
		if same, err := l.Seen.Same(ctx, l.Compiled); same || err != nil {
			return l, err
		}
	}
	if l, err = settled(ctx, func() (*List, error) { return s.ask(ctx, platform) }); err != nil {
		return nil, err
	}
	return l, s.keep(platform, l)
}

// maxAsked limits how often the go command is asked because the source changes meanwhile.
const maxAsked = 5

// settled returns a list from ask, which was made while nothing changed on which it depends. What
// changes after the go command has read it, and before it is recorded in Seen, would otherwise be
// missing in the list for ever, and would not be compared with the commit.
func settled(ctx context.Context, ask func() (*List, error)) (*List, error) {
	var before source.Snapshot
	for range maxAsked {
		began := time.Now()
		l, err := ask()
		if err != nil {
			return nil, err
		}
		names, err := l.Compiled.DependsOn(ctx)
		if err != nil {
			return nil, err
		}
		now, err := source.Take(names)
		// The file system may have another clock; then nothing has changed since the last try.
		if err != nil || now.Settled(began) || maps.Equal(before, now) {
			return l, err
		}
		before = now
		select {
		case <-time.After(source.Tick):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, errors.New("list the sources: they change meanwhile; stop what writes them, and run it again")
}

func (s Source) ask(ctx context.Context, platform plan.Platform) (*List, error) {
	listed, err := golist.List(ctx, s.Draft.Tree(), platform)
	if err != nil {
		return nil, err
	}
	l := &List{Modules: map[string][]golist.Module{}, LeftOut: map[string][]string{}}
	tree := s.Draft.Tree()
	for _, main := range tree.Mains {
		l.Modules[main.Key()] = listed.Modules(main)
		if left := listed.LeftOut(main, platform); len(left) > 0 {
			l.LeftOut[main.Key()] = left
		}
	}
	if s.Draft.Plan.StableDigests() {
		l.Inputs = map[string]golist.Inputs{}
		for _, main := range tree.Mains {
			if l.Inputs[main.Key()], err = listed.Inputs(ctx, main); err != nil {
				return nil, err
			}
		}
	}
	if l.Compiled, err = listed.Compiled(ctx); err != nil {
		return nil, err
	}
	l.Seen, err = l.Compiled.See(ctx)
	return l, err
}
