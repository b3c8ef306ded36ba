package copying

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/before"
	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/finding"
)

// followBuild copies into a build stage: it only follows what is where.
func (c *transfer) followBuild() {
	st, line := c.st, c.line
	for _, source := range c.sources {
		if c.add && strings.Contains(source, "://") {
			line.Reason = "nothing of a build stage is in the image unless it is copied"
			continue
		}
		if c.image == "" {
			matched := c.repo.Context.Match(source)
			if at := c.repo.MainNamed(source); at >= 0 && len(matched) == 0 {
				e := c.entry(rootfs.Program, c.into(source))
				e.Main = at
				st.FS.Put(e)
				line.Reason = "thimble compiles it"
			}
			for _, name := range matched {
				e := c.entry(rootfs.File, c.into(strings.TrimPrefix(name, c.repo.Context.Folder+"/")))
				e.Source = name
				if strings.HasSuffix(name, "/") && !c.parents {
					e.Target = path.Clean(c.target)
					e.Skip = func(n string) bool { return !c.repo.Context.Has(n) }
				}
				st.FS.Put(e)
			}
			continue
		}
		if c.from == nil {
			line.Reason = "nothing of a build stage is in the image unless it is copied"
			continue
		}
		c.copyBetween(source)
	}
}

// copyBetween copies from a stage to a build stage.
func (c *transfer) copyBetween(source string) {
	st, from := c.st, c.from
	p := path.Clean("/" + source)
	for _, e := range from.FS.Under(p) {
		out := *e
		rel := strings.TrimPrefix(e.Target, p)
		out.Target = path.Join(c.target, rel)
		if rel == "" && e.Kind != rootfs.File {
			out.Target = path.Clean(c.into(source))
		}
		st.FS.Put(out)
	}
	st.Accounts.Users = append(st.Accounts.Users, from.Accounts.Users...)
	if e, ok := from.FS.At(p); ok {
		e.Target = path.Clean(c.into(source))
		if strings.HasSuffix(e.Source, "/") {
			e.Target = path.Clean(c.target)
		}
		st.FS.Put(e)
		return
	}
	if rootfs.AddedByThimble(p) || from.Compiles || len(from.Prepared) == 0 {
		return
	}
	// What a command made: the compiler needs it in the source tree.
	inTree, ok := st.FS.At(path.Dir(path.Clean(c.target)))
	made, commands, ok2 := before.Commands(p, from, c.repo.Files)
	if !ok2 {
		outcome.ByHand(c.line, "Before", p+" is made by commands of stage "+from.Stage.Title(),
			`if the compiler needs it: Before: [][]string{{"sh", "-c", "…"}}`)
		return
	}
	outcome.Imported(c.line, "Before, which makes it")
	if ok && strings.HasSuffix(inTree.Source, "/") {
		to, ok := st.FS.SourcePath(path.Clean(c.target))
		if !ok {
			to = path.Join(inTree.Source, path.Base(path.Clean(c.target)))
		}
		if made = path.Clean(made); made != to {
			commands = append(commands, finding.Found(before.CopyCommand(made, to), c.Place))
		}
	}
	st.Before = append(st.Before, commands...)
}
