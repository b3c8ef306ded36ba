package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxLinks is how many symlinks a path may contain, as in Linux.
const maxLinks = 40

// place is the target of a path.
type place struct {
	// file is the path without symlinks; name is its name in the commit, existing or not.
	file   string
	commit *Commit
	name   string
	entry  entry
	info   fs.FileInfo
	// difference is what is wrong on the way to the target, or nil.
	difference *Difference
}

// walk resolves paths, and remembers folders.
type walk struct {
	top     *Commit
	folders map[string]place
	links   int // how many more the path may contain
}

func newWalk(c *Commit) *walk { return &walk{top: c, folders: map[string]place{}} }

// locate finds the target of an absolute path. It follows all symlinks, but the last element
// only with follow.
func (w *walk) locate(ctx context.Context, file string, follow bool) (place, error) {
	w.links = maxLinks
	return w.locateFrom(ctx, filepath.Clean(file), follow)
}

func (w *walk) locateFrom(ctx context.Context, file string, follow bool) (place, error) {
	rel, ok := w.top.within(file)
	if !ok {
		return place{difference: &Difference{Kind: Outside}}, nil
	}
	if rel == "." {
		info, err := os.Lstat(w.top.root)
		if err != nil {
			return place{}, fmt.Errorf("compare with the commit: %w", err)
		}
		return place{file: w.top.root, commit: w.top, name: ".", info: info}, nil
	}
	dir, ok := w.folders[filepath.Dir(file)]
	if !ok {
		var err error
		if dir, err = w.locateFrom(ctx, filepath.Dir(file), true); err != nil {
			return place{}, err
		}
		w.folders[filepath.Dir(file)] = dir
	}
	reason := ""
	if d := dir.difference; d != nil {
		if d.Kind == Outside || d.Kind == Changed {
			return dir, nil
		}
		reason = d.Reason
	}
	at := place{file: filepath.Join(dir.file, filepath.Base(file)), commit: dir.commit,
		name: path.Join(dir.name, filepath.Base(file))}
	at.entry = at.commit.entries[at.name]
	tracked := at.entry.mode != "" || at.commit.folders[at.name]
	var err error
	at.info, err = os.Lstat(at.file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && tracked:
		at.difference = &Difference{Kind: Missing}
		return at, nil
	case errors.Is(err, fs.ErrNotExist):
		at.difference = &Difference{Kind: Untracked, Reason: reason}
		return at, nil
	case err != nil:
		return place{}, fmt.Errorf("compare with the commit: %w", err)
	case !tracked:
		at.difference = &Difference{Kind: Untracked, Reason: reason}
		if at.info.Mode().Type() == fs.ModeSymlink && follow {
			return w.follow(ctx, at)
		}
		return at, nil
	}
	switch at.info.Mode().Type() {
	case fs.ModeDir:
		if at.entry.mode == submodule {
			sub, err := at.commit.submodule(ctx, at.name)
			if err != nil {
				return place{}, err
			}
			if sub == nil {
				at.difference = &Difference{Kind: Untracked, Reason: "the submodule " + at.name +
					" is not at the commit's revision; git submodule update --init --recursive"}
				return at, nil
			}
			at.commit, at.name, at.entry = sub, ".", entry{}
		} else if !at.commit.folders[at.name] {
			at.difference = &Difference{Kind: Changed, Reason: "it is a folder here, and none in the commit"}
		}
	case fs.ModeSymlink:
		if at.entry.mode != symlink {
			at.difference = &Difference{Kind: Changed, Reason: "it is a symlink here, and none in the commit"}
			return at, nil
		}
		if follow {
			text, err := os.Readlink(at.file)
			if err != nil {
				return place{}, fmt.Errorf("compare with the commit: %w", err)
			}
			if at.commit.id([]byte(filepath.ToSlash(text))) != at.entry.id {
				at.difference = &Difference{Kind: Changed,
					Reason: "the symlink leads elsewhere in the commit"}
				return at, nil
			}
			return w.follow(ctx, at)
		}
	default:
		if at.entry.mode == symlink {
			at.difference = &Difference{Kind: Changed,
				Reason: "it is a symlink in the commit; git config core.symlinks true, and check it out again"}
		}
	}
	return at, nil
}

// follow returns the target of a symlink. A difference of the symlink takes precedence over one
// of the target, unless it is that the symlink leads out of the repository.
func (w *walk) follow(ctx context.Context, link place) (place, error) {
	if w.links--; w.links < 0 {
		return place{}, fmt.Errorf("compare %s with the commit: it leads through more than %d symlinks",
			link.file, maxLinks)
	}
	text, err := os.Readlink(link.file)
	if err != nil {
		return place{}, fmt.Errorf("compare with the commit: %w", err)
	}
	to, err := w.locateText(ctx, filepath.Dir(link.file), text)
	if err != nil {
		return place{}, err
	}
	switch d := to.difference; {
	case d != nil && d.Kind == Outside:
		to.difference = &Difference{Kind: Outside, Reason: "a symlink leads there"}
	case link.difference != nil:
		to.difference, to.file = link.difference, link.file
	case d != nil && d.Reason == "":
		to.difference = &Difference{Kind: d.Kind, Reason: "a symlink leads to " + w.top.shown(to.file)}
	}
	return to, nil
}

// locateText resolves the text of a symlink in dir, element by element, like the operating
// system: ".." after another symlink is the parent of that symlink's target. A difference of an
// element on the way is a difference of the whole path.
func (w *walk) locateText(ctx context.Context, dir, text string) (place, error) {
	if filepath.IsAbs(text) {
		volume := filepath.VolumeName(text)
		dir, text = volume+string(filepath.Separator), text[len(volume):]
	}
	to, err := w.locateFrom(ctx, dir, true)
	var wrong *Difference
	for _, element := range strings.FieldsFunc(text,
		func(c rune) bool { return c < utf8.RuneSelf && os.IsPathSeparator(uint8(c)) }) {
		if err != nil {
			return place{}, err
		}
		switch d := to.difference; {
		case d == nil:
			dir = to.file
		case d.Kind == Outside:
			if info, err := os.Lstat(dir); err == nil && info.Mode().Type() == fs.ModeSymlink {
				return to, nil
			}
		case d.Kind == Changed:
			return to, nil
		default:
			dir = to.file
			if wrong == nil {
				wrong = d
			}
		}
		dir = filepath.Join(dir, element)
		to, err = w.locateFrom(ctx, dir, true)
	}
	if to.difference == nil {
		to.difference = wrong
	}
	return to, err
}

// within returns an absolute path relative to the working tree's top, if it is inside.
func (c *Commit) within(file string) (string, bool) {
	for _, root := range []string{c.root, c.repo.Root} {
		if rel, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel), true
		}
	}
	return "", false
}

// shown returns an absolute path in the form used in plans and messages: relative to the
// working tree's top, with slashes.
func (c *Commit) shown(file string) string {
	if rel, ok := c.within(file); ok {
		return rel
	}
	rel, err := filepath.Rel(c.root, file)
	if err != nil {
		rel = filepath.Base(file) // on another drive
	}
	return strings.TrimPrefix(filepath.ToSlash(rel), "./")
}
