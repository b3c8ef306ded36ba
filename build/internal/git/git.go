// Package git uses the git command to read a repository: its state for the plan, and its tracked
// files; and to make clones. It never changes a repository.
package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/process"
)

// ErrNone is the error of Open if there is no repository, or no git command.
var ErrNone = errors.New("no git repository")

// Repo is the repository that a folder belongs to.
type Repo struct {
	// Root is the working tree's top folder.
	Root string
	// Linked says that .git is a file, as in a linked worktree or a submodule, where the go
	// command stamps nothing.
	Linked bool
	env    []string
}

// Open finds the repository that contains dir. Its error is ErrNone if there is none.
func Open(dir string, env []string) (*Repo, error) {
	root, linked, ok := find(dir)
	if !ok {
		return nil, ErrNone
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fmt.Errorf("%w that can be read: git is not in PATH", ErrNone)
	}
	return &Repo{Root: root, Linked: linked, env: append(Env(env), "LC_ALL=C")}, nil
}

// find looks for .git as the go command does: upwards from dir.
func find(dir string) (root string, linked, ok bool) {
	for {
		if fi, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir, !fi.IsDir(), true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false, false
		}
		dir = up
	}
}

// State is the state of a repository at HEAD.
type State struct {
	// Revision is empty in a repository without a commit.
	Revision string
	Time     time.Time
	Shallow  bool
	// Changed are the files that `git status` reports, in its order, relative to Root and with
	// slashes. The user's settings apply, because the go command stamps a binary as modified if
	// there are any. It does not describe the content of a commit.
	Changed []string
	// Remote is the web URL of origin's repository, see WebURL; empty if it has none.
	Remote string
	// Tags point at HEAD; Merged are all tags in HEAD's history.
	Tags, Merged []string
}

// State reads the repository's state with a few concurrent git calls.
func (r *Repo) State(ctx context.Context) (State, error) {
	var s State
	var head, status, settings, merged, tags, shallow []byte
	g, group := errgroup.WithContext(ctx)
	run := func(out *[]byte, optional bool, args ...string) {
		g.Go(func() error {
			b, err := r.git(group, args...)
			if err != nil && (!optional || group.Err() != nil) {
				return err
			}
			*out = b
			return nil
		})
	}
	run(&status, false, "status", "--porcelain", "-z", "--no-renames")
	run(&shallow, false, "rev-parse", "--is-shallow-repository")
	run(&head, true, "log", "-1", "--format=%H:%ct")
	run(&settings, true, "config", "-z", "--get-regexp", `^remote\.origin\.url$`)
	run(&merged, true, "for-each-ref", "--merged=HEAD", "--format=%(refname)", "refs/tags")
	run(&tags, true, "show-ref", "--tags", "--dereference") // follows any number of tag objects
	if err := g.Wait(); err != nil {
		return State{}, fmt.Errorf("read the git repository: %w", err)
	}
	if rev, sec, ok := strings.Cut(strings.TrimSpace(string(head)), ":"); ok {
		n, err := strconv.ParseInt(sec, 10, 64)
		if err != nil {
			return State{}, fmt.Errorf("read the git repository: commit time %q: %w", sec, err)
		}
		s.Revision, s.Time = rev, time.Unix(n, 0).UTC()
	}
	s.Shallow = strings.TrimSpace(string(shallow)) == "true"
	remote := ""
	for setting := range strings.SplitSeq(string(settings), "\x00") {
		if key, value, _ := strings.Cut(setting, "\n"); key == "remote.origin.url" {
			if value == "" || remote == "" { // git fetches the first of several; an empty one ends the list
				remote = value
			}
		}
	}
	if remote != "" {
		s.Remote = r.source(ctx, remote)
	}
	s.Changed = changed(status)
	for name := range strings.Lines(string(merged)) {
		s.Merged = append(s.Merged, strings.TrimPrefix(strings.TrimSpace(name), "refs/tags/"))
	}
	for line := range strings.Lines(string(tags)) {
		object, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if object == s.Revision {
			s.Tags = append(s.Tags, strings.TrimSuffix(strings.TrimPrefix(name, "refs/tags/"), "^{}"))
		}
	}
	return s, nil
}

// Unclean returns all files that are changed, untracked or ignored, relative to Root and with
// slashes; an ignored folder includes all its content.
func (r *Repo) Unclean(ctx context.Context) ([]string, error) {
	status, err := r.git(ctx, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all",
		"--ignored=traditional")
	if err != nil {
		return nil, fmt.Errorf("list the files that are in no commit: %w", err)
	}
	return changed(status), nil
}

// Untracked returns the files that are neither in the index nor in an excludes file, relative to
// Root and with slashes.
func (r *Repo) Untracked(ctx context.Context) ([]string, error) {
	out, err := r.git(ctx, "ls-files", "-z", "--others", "--exclude-standard", "--full-name")
	if err != nil {
		return nil, fmt.Errorf("list the files that git does not track: %w", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"),
		func(name string) bool { return name == "" }), nil
}

// Excludes returns the content of the user's excludes file; empty if there is none.
func (r *Repo) Excludes(ctx context.Context) ([]byte, error) {
	out, err := r.git(ctx, "config", "--type=path", "--get", "core.excludesFile")
	file := strings.TrimSuffix(string(out), "\n")
	if err != nil || file == "" {
		file = ""
		for _, e := range r.env {
			if home, ok := strings.CutPrefix(e, "HOME="); ok && file == "" {
				file = filepath.Join(home, ".config", "git", "ignore")
			} else if config, ok := strings.CutPrefix(e, "XDG_CONFIG_HOME="); ok && config != "" {
				file = filepath.Join(config, "git", "ignore")
				break
			}
		}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, nil // git reads none either
	}
	return content, nil
}

// Tracked returns the files in the index or HEAD, relative to Root and with slashes.
func (r *Repo) Tracked(ctx context.Context) ([]string, error) {
	index, err := r.git(ctx, "ls-files", "-z")
	if err != nil {
		return nil, fmt.Errorf("list the files that git tracks: %w", err)
	}
	names := strings.Split(string(index), "\x00")
	// Without a commit there is no HEAD.
	if head, err := r.git(ctx, "ls-tree", "-r", "-z", "--full-tree", "--name-only", "HEAD"); err == nil {
		names = append(names, strings.Split(string(head), "\x00")...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" }), nil
}

// changed returns the paths of `git status --porcelain -z`: XY, a space, the path; after a rename
// or a copy follows the original path.
func changed(status []byte) (names []string) {
	entries := strings.Split(strings.TrimRight(string(status), "\x00"), "\x00")
	for i := 0; i < len(entries); i++ {
		e := entries[i]
		if len(e) < 4 {
			continue
		}
		names = append(names, e[3:])
		if strings.ContainsAny(e[:2], "RC") {
			i++
		}
	}
	return names
}

// Tree returns the files, symlinks and submodules of a commit, given by its hash, as `git ls-tree
// -r -z` prints them. It reads no blob.
func (r *Repo) Tree(ctx context.Context, revision string) ([]byte, error) {
	out, err := r.git(ctx, "ls-tree", "-r", "-z", "--full-tree", revision)
	if err != nil {
		return nil, fmt.Errorf("list the files of commit %s: %w", revision, err)
	}
	return out, nil
}

// Submodule returns the repository whose working tree is at a folder of this one's.
func (r *Repo) Submodule(dir string) (*Repo, bool) {
	info, err := os.Stat(filepath.Join(dir, ".git"))
	if err != nil {
		return nil, false
	}
	return &Repo{Root: dir, Linked: !info.IsDir(), env: r.env}, true
}

func (r *Repo) git(ctx context.Context, args ...string) ([]byte, error) {
	return process.Output(ctx, process.Command{
		Args: append([]string{"git"}, args...), Dir: r.Root, Env: r.env,
	})
}
