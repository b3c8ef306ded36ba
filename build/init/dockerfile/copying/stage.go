package copying

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/thimble-build/thimble/build/init/dockerfile/before"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// fromStage copies a source of another stage into an image.
func (c *imageCopy) fromStage(source string) {
	p := path.Clean("/" + source)
	if strings.ContainsAny(source, "*?[") {
		found := false
		for _, e := range c.from.FS.Entries {
			if ok, err := path.Match(p, e.Target); err == nil && ok {
				found = true
				c.copyTree(e, e.Target)
			}
		}
		if found {
			return
		}
		p = path.Dir(p)
	}
	if e, ok := c.from.FS.At(p); ok {
		c.copyTree(e, source)
		return
	}
	inside := c.from.FS.Under(p)
	if len(inside) > 0 && p != "/" || len(inside) > 0 && c.from.Base == "scratch" { // the content of a folder
		for _, e := range inside {
			rel := strings.TrimPrefix(strings.TrimPrefix(e.Target, p), "/")
			c.copyEntry(*e, path.Join(c.target, rel))
		}
		return
	}
	if rootfs.AddedByThimble(p) {
		c.copySystem(p)
		return
	}
	if at := c.repo.MainNamed(p); at >= 0 {
		c.putProgram(at, nil, c.into(source))
		return
	}
	if at := c.onlyBuilt(); at >= 0 && !strings.Contains(path.Base(p), ".") {
		c.putProgram(at, nil, c.into(source))
		return
	}
	c.copyMade(p, c.into(source))
}

// copyTree copies what is at a path of another stage, and what other instructions have put below it.
func (c *imageCopy) copyTree(e rootfs.Entry, source string) {
	if e.Kind != rootfs.Folder && !e.IsSourceFolder() {
		c.copyEntry(e, c.into(source))
		return
	}
	if e.Kind == rootfs.Folder && len(c.from.FS.Under(e.Target)) == 1 && len(c.from.Prepared) > 0 {
		if at, inTree := c.from.FS.SourcePath(e.Target); inTree { // commands fill it
			c.copyFilled(e.Target, at)
			return
		}
	}
	target := path.Clean(c.target) // the content of a folder goes into the target itself
	if c.parents {
		target = c.into(source)
	}
	c.copyEntry(e, target)
	for _, below := range c.from.FS.Under(e.Target) {
		if rel, ok := strings.CutPrefix(below.Target, strings.TrimSuffix(e.Target, "/")+"/"); ok {
			c.copyEntry(*below, path.Join(target, rel))
		}
	}
}

// onlyBuilt returns the main package of a stage that compiles just one program, or that of a
// repository with just one; -1 otherwise.
func (c *imageCopy) onlyBuilt() int {
	found := -1
	for _, b := range c.from.Builds {
		if b.Main >= 0 && found >= 0 && found != b.Main {
			return -1
		}
		found = max(found, b.Main)
	}
	if found < 0 && c.from.Compiles && len(c.repo.Mains) == 1 {
		return 0
	}
	return found
}

// copyEntry copies what is at a path of another stage.
func (c *imageCopy) copyEntry(e rootfs.Entry, target string) {
	switch e.Kind {
	case rootfs.Program:
		c.putProgram(e.Main, e.Caps, target)
	case rootfs.File:
		c.copySource(e.Source, target, cmp.Or(c.mode, e.Mode))
	case rootfs.Folder:
		out := c.entry(rootfs.Folder, target)
		if out.UID == 0 && out.GID == 0 {
			out.Mode = e.Mode
		}
		if rootfs.InUsualBases(out.Target) {
			c.systems++
			return
		}
		c.put(out)
		c.assets++
	case rootfs.System:
		c.copySystem(e.Target)
	case rootfs.Other:
		c.copyMade(e.Target, target)
	}
}

// copySystem copies a file that thimble adds if the binary needs it.
func (c *imageCopy) copySystem(p string) {
	c.systems++
	if c.from != nil && (p == "/etc/passwd" || p == "/etc/group" || p == "/etc") {
		c.st.Accounts.Merge(c.from.Accounts)
	}
	if p == "/tmp" || strings.HasPrefix(p, "/tmp/") {
		c.st.Include = append(c.st.Include, finding.Found("tmp", c.Place))
	}
	c.put(c.entry(rootfs.System, c.into(p)))
}

// copyFilled copies a folder that commands of a stage fill. at is its path in the repository. What
// they make outside of a module cannot be an asset, so that they need not run.
func (c *imageCopy) copyFilled(p, at string) {
	target := path.Clean(c.target)
	for _, m := range c.repo.Mains {
		if m.Module != "" && !strings.HasPrefix(at, m.Module+"/") {
			c.putOther(target)
			c.problem(p+" is made by commands of stage "+c.from.Stage.Title()+
				", outside of the module's folder",
				"make it in the module's folder with Before, and copy it: "+asset("…", target))
			return
		}
	}
	c.copyMade(p, target)
}

func isRun(i syntax.Instruction) bool {
	_, ok := i.Command.(*instructions.RunCommand)
	return ok
}

// copyMade copies what commands of a stage have made.
func (c *imageCopy) copyMade(p, target string) {
	if target == "/etc/passwd" || target == "/etc/group" {
		c.copySystem(target)
		return
	}
	if source, commands, ok := before.Commands(p, c.from, c.repo.Files); ok {
		e := c.entry(rootfs.File, target)
		e.Source = source
		c.put(e)
		c.st.Before = append(c.st.Before, commands...)
		c.assets++
		c.generated = true
		return
	}
	reason := p + " is made by a command of stage " + c.from.Stage.Title()
	if c.from.Stage.Parent == nil && !slices.ContainsFunc(c.from.Stage.Body, isRun) {
		reason = p + " is from the image " + c.from.Base
	}
	c.putOther(target)
	c.problem(reason, "if the program needs it, make it with Before, and copy it: {Source: \"…\", Target: "+
		strconv.Quote(target)+"}")
}
