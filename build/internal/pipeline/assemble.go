package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/assemble"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/plan"
)

// assemble makes the images, or only hashes the binaries. They are in the order of the targets.
func (b *builder) assemble(ctx context.Context, c *compiled, bases *base.Set) ([]*assemble.Image, error) {
	made := make([]*assemble.Image, len(c.targets))
	g, ctx := errgroup.WithContext(ctx)
	for _, platform := range c.plan.Targets() {
		g.Go(func() error {
			mine := on(c.targets, platform)
			symbols, err := b.symbols(ctx, c, platform.OS, mine)
			if err != nil {
				return err
			}
			for n, i := range mine {
				if made[i], err = b.image(ctx, c, i, symbols[n], bases); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return made, g.Wait()
}

// symbols keeps the debug symbols of the binaries of a platform's targets, if requested. Systems
// without ELF have none, because only ELF has a standard build id. targets are indexes.
func (b *builder) symbols(ctx context.Context, c *compiled, os string,
	targets []int) ([][]*compile.Symbols, error) {
	kept := make([][]*compile.Symbols, len(targets))
	for n, i := range targets {
		kept[n] = make([]*compile.Symbols, len(c.binaries[i]))
	}
	wanted := func(i int) bool {
		return b.Session.Config.DebugSymbols || b.Extras[unitOf(c.targets[i])].Toolbox
	}
	if os != "linux" || !slices.ContainsFunc(targets, wanted) {
		return kept, nil
	}
	err := b.Session.Stage("symbols "+c.targets[targets[0]].Platform.String(), func() (string, error) {
		for n, i := range targets {
			for at, binary := range c.binaries[i] {
				var err error
				if kept[n][at], err = c.compiler.Symbols(ctx, binary); err != nil {
					return "", err
				}
			}
		}
		return "", nil
	})
	return kept, err
}

func unitOf(t artifact.Target) Unit { return Unit{Image: t.Image.Name, Platform: t.Platform} }

// image makes the image of target i.
func (b *builder) image(ctx context.Context, c *compiled, i int, symbols []*compile.Symbols,
	bases *base.Set) (img *assemble.Image, err error) {
	t := c.targets[i]
	in := assemble.Input{
		Plan: c.plan, Target: t, Extra: b.Extras[unitOf(t)],
		Dir: b.Draft.Dir, Executable: c.found.files.Executable, GOROOT: b.Draft.Go.Root, Suite: b.Draft.Suite,
		Cache: b.Workspace.Cache, CacheVersion: b.Workspace.CacheVersion,
	}
	for n, binary := range c.binaries[i] {
		in.Programs = append(in.Programs, assemble.Program{Binary: binary, Symbols: symbols[n]})
	}
	if !b.Images {
		return assemble.Binaries(in)
	}
	licenses := c.found.licenses[i]
	in.Licenses = licenses.ByPath()
	own := []string{c.plan.Module.Path}
	for n, main := range golist.Mains(c.plan, t.Image) {
		in.Programs[n].Modules = c.found.lists[t.Platform].Modules[main.Key()]
		own = append(own, c.binaries[i][n].Program.Module)
	}
	if t.Image.LicenseTexts {
		if in.Texts, err = b.texts.get(licenses.Except(own)); err != nil {
			return nil, err
		}
	}
	stage := "describe "
	if !t.ArchiveOnly {
		stage = "assemble "
		if in.Base, err = bases.Base(ctx, baseUse(t)); err != nil {
			return nil, err
		}
	}
	err = b.Session.Stage(stage+t.String(), func() (string, error) {
		img, err = assemble.Assemble(ctx, in)
		return "", err
	})
	return img, err
}

// on returns the indexes of the targets for a platform.
func on(targets []artifact.Target, platform plan.Platform) (mine []int) {
	for i, t := range targets {
		if t.Platform == platform {
			mine = append(mine, i)
		}
	}
	return mine
}

// texts are licence texts. Those of the same modules are read only once for all images.
type texts struct {
	mu    sync.Mutex
	known map[string]func() ([]byte, error)
}

func (t *texts) get(l materials.Licenses) ([]byte, error) {
	key, err := json.Marshal(l.Results())
	if err != nil {
		return nil, fmt.Errorf("read the licence texts: %w", err)
	}
	t.mu.Lock()
	if t.known == nil {
		t.known = map[string]func() ([]byte, error){}
	}
	read := t.known[string(key)]
	if read == nil {
		read = sync.OnceValues(l.Texts)
		t.known[string(key)] = read
	}
	t.mu.Unlock()
	return read()
}
