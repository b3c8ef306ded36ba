// Package git asks the git command about a repository: its state for the plan,
// and which files it tracks; and makes clones. It never changes a repository.
package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/process"
)

// ErrNone is returned by Open where there is no repository, or no git command
// to read it with.
var ErrNone = errors.New("no git repository")

// Repo is a repository that a folder belongs to.
type Repo struct {
	// Root is the working tree's top folder.
	Root string
	// Linked says that .git is a file, as in a linked worktree or a submodule,
	// where the go command stamps nothing.
	Linked bool
	env    []string
}

// Open finds the repository that holds dir. Its error is ErrNone if there is
// none.
func Open(dir string, env []string) (*Repo, error) {
	root, linked, ok := find(dir)
	if !ok {
		return nil, ErrNone
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fmt.Errorf("%w that can be read: git is not in PATH", ErrNone)
	}
	return &Repo{Root: root, Linked: linked, env: env}, nil
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

// State is what a repository says of itself at HEAD.
type State struct {
	// Revision is empty in a repository without a commit.
	Revision string
	Time     time.Time
	Shallow  bool
	// Changed are the files that `git status` reports, in its order, relative
	// to Root and with slashes.
	Changed []string
	// Unclean are all files that are changed, untracked or ignored, whatever the
	// user's settings hide; an ignored folder stands for all that is in it.
	Unclean []string
	// Remote is the URL of origin, without credentials, as https where it can be.
	Remote string
	// Tags point at HEAD; Merged are all the tags in HEAD's history.
	Tags, Merged []string
}

// State reads the repository's state with a handful of git calls at once.
func (r *Repo) State(ctx context.Context) (State, error) {
	var s State
	var head, status, settings, tags, shallow []byte
	g, ctx := errgroup.WithContext(ctx)
	run := func(out *[]byte, optional bool, args ...string) {
		g.Go(func() error {
			b, err := r.git(ctx, args...)
			if err != nil && (!optional || ctx.Err() != nil) {
				return err
			}
			*out = b
			return nil
		})
	}
	run(&status, false, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=traditional")
	run(&shallow, false, "rev-parse", "--is-shallow-repository")
	run(&head, true, "-c", "log.showsignature=false", "log", "-1", "--format=%H:%ct")
	run(&settings, true, "config", "-z", "--get-regexp", `^(remote\.origin\.url|status\.showuntrackedfiles)$`)
	run(&tags, true, "for-each-ref", "--merged=HEAD", "--format=%(objectname) %(*objectname) %(refname:strip=2)", "refs/tags")
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
	hidden := false
	for setting := range strings.SplitSeq(string(settings), "\x00") {
		switch key, value, _ := strings.Cut(setting, "\n"); key {
		case "remote.origin.url":
			s.Remote = WebURL(value)
		case "status.showuntrackedfiles": // the go command obeys it, so what it stamps does
			hidden = slices.Contains([]string{"no", "false", "off", "0"}, value)
		}
	}
	s.Changed, s.Unclean = changed(status, hidden)
	for line := range strings.Lines(string(tags)) {
		fields := strings.Fields(line)
		name := fields[len(fields)-1]
		s.Merged = append(s.Merged, name)
		if slices.Contains(fields[:len(fields)-1], s.Revision) {
			s.Tags = append(s.Tags, name)
		}
	}
	return s, nil
}

// changed reads `git status --porcelain -z`: XY, a space, the path; a rename or a
// copy is followed by the path that it came from. all has every path, visible those
// that are not ignored and, where untracked files are hidden, are tracked.
func changed(status []byte, hidden bool) (visible, all []string) {
	entries := strings.Split(strings.TrimRight(string(status), "\x00"), "\x00")
	for i := 0; i < len(entries); i++ {
		e := entries[i]
		if len(e) < 4 {
			continue
		}
		all = append(all, e[3:])
		if e[:2] != "!!" && (e[:2] != "??" || !hidden) {
			visible = append(visible, e[3:])
		}
		if strings.ContainsAny(e[:2], "RC") {
			i++
		}
	}
	return visible, all
}

// Untracked returns those of the files, absolute paths, that lie in the working
// tree and that git does not track, relative to Root and with slashes.
func (r *Repo) Untracked(ctx context.Context, files []string) ([]string, error) {
	out, err := r.git(ctx, "ls-files", "-z")
	if err != nil {
		return nil, fmt.Errorf("list the files that git tracks: %w", err)
	}
	tracked := map[string]bool{}
	for name := range bytes.SplitSeq(out, []byte{0}) {
		tracked[string(name)] = true
	}
	var untracked []string
	for _, f := range files {
		rel, err := filepath.Rel(r.Root, f)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if rel = filepath.ToSlash(rel); !tracked[rel] {
			untracked = append(untracked, rel)
		}
	}
	return untracked, nil
}

// Committed is the content of a file at HEAD, by its path relative to Root and with
// slashes. The error is fs.ErrNotExist if the commit has no such file.
func (r *Repo) Committed(ctx context.Context, name string) ([]byte, error) {
	entry, err := r.git(ctx, "ls-tree", "-z", "--full-tree", "HEAD", "--", name)
	if err == nil && len(entry) == 0 {
		err = fs.ErrNotExist
	}
	var content []byte
	if err == nil {
		content, err = r.git(ctx, "cat-file", "blob", "HEAD:"+name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the committed %s: %w", name, err)
	}
	return content, nil
}

func (r *Repo) git(ctx context.Context, args ...string) ([]byte, error) {
	return process.Output(ctx, process.Command{
		Args: append([]string{"git"}, args...), Dir: r.Root, Env: slices.Concat(r.env, []string{"GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"}),
	})
}

// scpLike is git's short form of an ssh URL: user@host:path.
var scpLike = regexp.MustCompile(`^(?:[^@/]+@)?([^:/]+):([^/].*)$`)

// WebURL turns the URL of a remote into the https URL of the same repository,
// without user, password, query and ".git". A local path gives "".
func WebURL(remote string) string {
	if m := scpLike.FindStringSubmatch(remote); m != nil && !strings.Contains(remote, "://") {
		remote = "ssh://" + m[1] + "/" + m[2]
	}
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return ""
	}
	switch u.Scheme {
	case "ssh", "git", "git+ssh":
		u.Host = u.Hostname() // a port of ssh's means nothing to https
	case "http", "https":
	default:
		return ""
	}
	scheme := "https"
	if u.Scheme == "http" {
		scheme = "http"
	}
	return (&url.URL{Scheme: scheme, Host: u.Host, Path: strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")}).String()
}
