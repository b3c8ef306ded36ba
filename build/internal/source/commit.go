package source

import (
	"bytes"
	"context"
	"crypto/sha1" // git's object ids
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/thimble-build/thimble/build/internal/git"
)

// The modes of a tree's entries (git's Documentation/technical/index-format.txt).
const (
	executable = "100755"
	symlink    = "120000"
	submodule  = "160000"
)

// entry is a file, a symlink or a submodule in a tree: id is its object id in hex.
type entry struct{ mode, id string }

// Commit is the tree of one commit, and the working tree that is compared with it.
type Commit struct {
	repo *git.Repo
	// root is the top of the working tree, as a path without symlinks.
	root    string
	newHash func() hash.Hash
	names   []string // sorted, relative to root, with slashes
	entries map[string]entry
	folders map[string]bool
	buffers sync.Pool // for reading files

	mu         sync.Mutex
	submodules map[string]*Commit // by path; nil for one that cannot be read
}

// Read reads the tree of a commit, given by its full hash. The commit "" has no files.
func Read(ctx context.Context, repo *git.Repo, revision string) (*Commit, error) {
	c := &Commit{repo: repo, newHash: sha1.New, entries: map[string]entry{},
		folders: map[string]bool{".": true}, submodules: map[string]*Commit{}}
	c.buffers.New = func() any { return new(make([]byte, 64<<10)) }
	if len(revision) == hex.EncodedLen(sha256.Size) {
		c.newHash = sha256.New
	}
	var err error
	if c.root, err = filepath.EvalSymlinks(repo.Root); err != nil {
		return nil, fmt.Errorf("read commit %s: %w", revision, err)
	}
	if revision == "" {
		return c, nil
	}
	tree, err := repo.Tree(ctx, revision)
	if err != nil {
		return nil, err
	}
	for line := range bytes.SplitSeq(tree, []byte{0}) {
		if len(line) == 0 {
			continue
		}
		head, name, ok := strings.Cut(string(line), "\t")
		fields := strings.Fields(head) // mode, type, id
		if !ok || len(fields) != 3 {
			return nil, fmt.Errorf("read commit %s: git ls-tree says %q", revision, line)
		}
		c.entries[name] = entry{mode: fields[0], id: fields[2]}
		c.names = append(c.names, name)
		for dir := path.Dir(name); !c.folders[dir]; dir = path.Dir(dir) {
			c.folders[dir] = true
		}
	}
	slices.Sort(c.names)
	return c, nil
}

// submodule returns the tree of a submodule at the revision that the commit names; nil if the
// working tree has no repository with that revision there.
func (c *Commit) submodule(ctx context.Context, name string) (*Commit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sub, ok := c.submodules[name]; ok {
		return sub, nil
	}
	var sub *Commit
	if repo, ok := c.repo.Submodule(filepath.Join(c.root, filepath.FromSlash(name))); ok {
		var err error
		if sub, err = Read(ctx, repo, c.entries[name].id); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			sub = nil // the revision was not fetched
		}
	}
	c.submodules[name] = sub
	return sub, nil
}

// Executable reports for absolute paths whether they are executable files in the commit. It
// omits paths that are not in the commit, and does not follow symlinks.
func (c *Commit) Executable(ctx context.Context, files []string) (map[string]bool, error) {
	w := newWalk(c)
	modes := make(map[string]bool, len(files))
	for _, file := range files {
		at, err := w.locate(ctx, file, false)
		if err != nil {
			return nil, err
		}
		if at.difference == nil && at.entry.mode != "" {
			modes[file] = at.entry.mode == executable
		}
	}
	return modes, nil
}

// Regular returns the absolute paths of the commit's regular files directly in folder, which is
// absolute, sorted. They may be missing or changed on disk.
func (c *Commit) Regular(ctx context.Context, folder string) ([]string, error) {
	at, err := newWalk(c).locate(ctx, folder, true)
	if err != nil || at.commit == nil {
		return nil, err
	}
	files, err := at.commit.below(ctx, at.name, false)
	return slices.DeleteFunc(files, func(file string) bool {
		name, ok := at.commit.within(file)
		return !ok || at.commit.entries[name].mode == symlink
	}), err
}

// Files returns the absolute paths of the commit's files and symlinks below folder, which is
// absolute. They may be missing on disk: see Gone. With deep it includes subfolders. A
// submodule whose files are unknown is returned as a folder.
func (c *Commit) Files(ctx context.Context, folder string, deep bool) ([]string, error) {
	at, err := newWalk(c).locate(ctx, folder, true)
	if err != nil || at.commit == nil {
		return nil, err
	}
	return at.commit.below(ctx, at.name, deep)
}

func (c *Commit) below(ctx context.Context, folder string, deep bool) ([]string, error) {
	prefix := folder + "/"
	if folder == "." {
		prefix = ""
	}
	var files []string
	first, _ := slices.BinarySearch(c.names, prefix)
	for _, name := range c.names[first:] {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			break
		}
		if !deep && strings.Contains(rest, "/") {
			continue
		}
		if c.entries[name].mode != submodule {
			files = append(files, filepath.Join(c.root, filepath.FromSlash(name)))
			continue
		}
		sub, err := c.submodule(ctx, name)
		if err != nil {
			return nil, err
		}
		if !deep {
			continue
		}
		if sub == nil {
			files = append(files, filepath.Join(c.root, filepath.FromSlash(name)))
			continue
		}
		more, err := sub.below(ctx, ".", true)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}
