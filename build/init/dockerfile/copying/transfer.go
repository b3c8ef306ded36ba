package copying

import (
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"

	"github.com/thimble-build/thimble/build/init/dockerfile/filemode"
	"github.com/thimble-build/thimble/build/init/dockerfile/repository"
	"github.com/thimble-build/thimble/build/init/dockerfile/rootfs"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// transfer is a COPY or an ADD with expanded arguments.
type transfer struct {
	syntax.Instruction
	repo repository.Repository
	// st is the stage that it changes, from the stage that it copies from. If from is nil, image is
	// the name of an image, or "" for the build context.
	st, from *state.State
	image    string

	sources  []string
	contents []instructions.SourceContent
	target   string // absolute; with a slash at the end if it is a folder
	mode     uint32
	uid, gid int
	parents  bool
	exclude  func(name string) bool
	add      bool
	// unclear says that --chmod or --chown could not be understood.
	unclear string
	line    *finding.Line
}

// newTransfer expands the arguments of a COPY or an ADD.
func newTransfer(i syntax.Instruction, from *state.State, args syntax.Arguments,
	repo repository.Repository, st *state.State, line *finding.Line) transfer {
	c := transfer{Instruction: i, repo: repo, st: st, from: from, line: line,
		exclude: func(string) bool { return false }}
	var dest, chmod, chown string
	var exclude []string
	switch cmd := i.Command.(type) {
	case *instructions.CopyCommand:
		c.image = args.Plain(cmd.From, args.Global)
		c.sources, c.contents, dest = cmd.SourcePaths, cmd.SourceContents, cmd.DestPath
		c.parents = cmd.Parents
		chmod, chown, exclude = cmd.Chmod, cmd.Chown, cmd.ExcludePatterns
	case *instructions.AddCommand:
		c.sources, c.contents, dest, c.add = cmd.SourcePaths, cmd.SourceContents, cmd.DestPath, true
		chmod, chown, exclude = cmd.Chmod, cmd.Chown, cmd.ExcludePatterns
	}
	c.sources = slices.Clone(c.sources)
	for n := range c.sources {
		c.sources[n] = args.Plain(c.sources[n], st.Vars)
	}
	dest = args.Plain(dest, st.Vars)
	c.target = st.Abs(dest)
	isFolder := strings.HasSuffix(dest, "/") || dest == "." || strings.HasSuffix(dest, "/.") ||
		len(c.sources)+len(c.contents) > 1 || st.IsFolder(c.target) ||
		slices.ContainsFunc(c.sources, func(s string) bool { return strings.ContainsAny(s, "*?[") })
	if isFolder && c.target != "/" {
		c.target += "/"
	}
	if chmod = args.Plain(chmod, st.Vars); chmod != "" {
		if mode, ok := filemode.Octal(chmod); ok {
			c.mode = mode
		} else if mode, ok := filemode.Symbolic(chmod, 0o644); ok {
			c.mode = mode
		} else {
			c.unclear = "--chmod=" + chmod
		}
	}
	if chown = args.Plain(chown, st.Vars); chown != "" {
		var ok bool
		if c.uid, c.gid, ok = st.Accounts.Owner(chown); !ok {
			c.unclear = "--chown=" + chown
		}
	}
	if m, err := patternmatcher.New(exclude); err == nil && len(exclude) > 0 {
		c.exclude = func(name string) bool {
			name = strings.TrimPrefix(strings.TrimPrefix(name, repo.Context.Folder), "/")
			ok, err := m.MatchesOrParentMatches(name)
			return ok && err == nil
		}
	}
	return c
}

// into returns the path of a source in the image.
func (c *transfer) into(source string) string {
	if strings.HasSuffix(c.target, "/") {
		if c.parents {
			return path.Join(c.target, source)
		}
		return path.Join(c.target, path.Base(path.Clean(source)))
	}
	return c.target
}

// entry returns an entry that the instruction makes.
func (c *transfer) entry(kind rootfs.Kind, target string) rootfs.Entry {
	return rootfs.Entry{Kind: kind, Target: path.Clean(target), Mode: c.mode, UID: c.uid, GID: c.gid,
		From: c.Place}
}
