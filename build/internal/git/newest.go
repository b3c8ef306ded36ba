package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/process"
)

// Paths are files of a repository, which need not exist: relative to Root, with slashes.
type Paths struct {
	// Names are files, and folders with all their content.
	Names []string
	// Globs match whole paths, as in path.Match; "/**" at the end matches everything below.
	// CaseFold ignores case.
	Globs, CaseFold []string
	// Except are globs of excluded files.
	Except []string
}

// Add adds other paths to these, sorted and without repetitions.
func (p *Paths) Add(other Paths) {
	for _, of := range []struct {
		to   *[]string
		more []string
	}{{&p.Names, other.Names}, {&p.Globs, other.Globs}, {&p.CaseFold, other.CaseFold},
		{&p.Except, other.Except}} {
		*of.to = append(*of.to, of.more...)
		slices.Sort(*of.to)
		*of.to = slices.Compact(*of.to)
	}
}

// Match says whether a file is one of the paths.
func (p Paths) Match(file string) bool {
	some := func(globs []string, file string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool { return match(glob, file) })
	}
	switch {
	case some(p.Except, file):
		return false
	case slices.ContainsFunc(p.Names, func(name string) bool {
		return file == name ||
			strings.HasPrefix(file, name+"/")
	}):
		return true
	}
	return some(p.Globs, file) || some(p.CaseFold, strings.ToLower(file))
}

// match is path.Match, with "/**".
func match(glob, file string) bool {
	if glob == "**" {
		return true
	}
	if above, ok := strings.CutSuffix(glob, "/**"); ok {
		elements := strings.Split(file, "/")
		n := strings.Count(above, "/") + 1
		if len(elements) <= n {
			return false
		}
		glob, file = above, strings.Join(elements[:n], "/")
	}
	ok, err := path.Match(glob, file)
	return ok && err == nil
}

// Quote returns a glob that matches only the name.
func Quote(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// Newest returns the last commit of HEAD's history that touched one of the paths, and its
// committer's time; "" if there is none. With merges, it is the commit that brought the content
// of HEAD. The history must be complete.
func (r *Repo) Newest(ctx context.Context, p Paths) (revision string, when time.Time, err error) {
	var in bytes.Buffer
	in.WriteString("--\n")
	write := func(magic, path string) {
		if strings.ContainsAny(path, "\n\r") {
			err = errors.Join(err, fmt.Errorf("the name %q has a line break", path))
		}
		fmt.Fprintf(&in, ":(%s)%s\n", magic, path)
	}
	for _, name := range p.Names {
		write("top,literal", name)
	}
	for _, glob := range p.Globs {
		write("top,glob", glob)
	}
	for _, glob := range p.CaseFold {
		write("top,glob,icase", glob)
	}
	for _, glob := range p.Except {
		write("top,glob,exclude", glob)
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find the last commit of some files: %w", err)
	}
	// rev-list reads no settings, and a command line would be too short for the paths.
	out, err := process.Output(ctx, process.Command{
		Args: []string{"git", "rev-list", "-1", "--timestamp", "HEAD", "--stdin"}, Dir: r.Root, Stdin: &in,
		Env: r.env,
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find the last commit of some files: %w", treeless(err))
	}
	seconds, revision, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok {
		return "", time.Time{}, nil
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("find the last commit of some files: git says %q: %w", out, err)
	}
	return revision, time.Unix(n, 0).UTC(), nil
}
