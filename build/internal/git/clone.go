package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
)

// CloneInput has the arguments of Clone.
type CloneInput struct {
	// From is a URL or a folder, To a folder that does not exist yet.
	From, To string
	// Commit is the full hash of the commit to check out.
	Commit string
	// Shallow fetches only that commit, without history and tags.
	Shallow bool
	// Origin is the URL of the remote in the clone; From if empty.
	Origin string
	Env    []string
	// Stranger says that the source is not trusted. Git then reads only the part of the user's
	// configuration that the source's host needs, runs no hooks and no filters, uses only HTTP
	// and ssh, and follows no redirection. Submodules come from the same host, unless
	// AnySubmodules is set. A tree with metadata of other version control systems is an error,
	// because the go command would run them.
	Stranger      bool
	AnySubmodules bool
	// Copy says that From is the folder of a clone that Clone made. Its submodules are copied
	// with it, and nothing is fetched.
	Copy bool
}

// Clone makes a separate repository, with the commit checked out and its submodules. It writes
// only into To.
func Clone(ctx context.Context, in CloneInput) error {
	if err := clone(ctx, in); err != nil {
		return fmt.Errorf("clone %s at commit %s: %w", in.From, in.Commit, err)
	}
	return nil
}

func clone(ctx context.Context, in CloneInput) error {
	if strings.HasPrefix(in.From, "-") || strings.HasPrefix(in.Commit, "-") {
		return errors.New("that is an option of git")
	}
	if err := os.MkdirAll(filepath.Dir(in.To), 0o777); err != nil {
		return err
	}
	env, from, err := in.environment(ctx, in.From)
	if err != nil {
		return err
	}
	run := func(dir string, args ...string) error {
		return process.Run(ctx, process.Command{Args: append([]string{"git"}, args...), Dir: dir, Env: env})
	}
	if in.Shallow {
		for _, args := range [][]string{{"init", "-q", "--template=", in.To},
			{"-C", in.To, "remote", "add", "origin", from}} {
			if err := run(filepath.Dir(in.To), args...); err != nil {
				return err
			}
		}
		if err := run(in.To, "fetch", "-q", "--depth=1", "--no-tags", "origin", in.Commit); err != nil {
			return err
		}
	} else {
		if err := run(filepath.Dir(in.To), "clone", "-q", "--template=", "--no-checkout", "--", from,
			in.To); err != nil {
			return err
		}
		if err := run(in.To, "cat-file", "-e", in.Commit+"^{commit}"); err != nil {
			// It may be on no branch, like commits of pull requests.
			if err := run(in.To, "fetch", "-q", "origin", in.Commit); err != nil {
				return fmt.Errorf("there is no such commit: %w", err)
			}
		}
	}
	if in.Origin != "" {
		if err := run(in.To, "remote", "set-url", "origin", in.Origin); err != nil {
			return err
		}
	}
	if err := run(in.To, "-c", "advice.detachedHead=false", "checkout", "-q", "--detach",
		in.Commit); err != nil {
		return err
	}
	if err := in.submodules(ctx, in.From, in.To); err != nil {
		return err
	}
	if in.Stranger {
		return otherMetadata(in.To)
	}
	return nil
}

// environment returns git's environment for a URL or a folder, and the name to use for it.
func (in CloneInput) environment(ctx context.Context, from string) (env []string, as string, err error) {
	env = append(Env(in.Env), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	if !in.Stranger && !in.Copy {
		return env, from, nil
	}
	return strict(ctx, env, filepath.Dir(in.To), from, in.Copy)
}

// submodules checks out the submodules of the clone in to, and theirs. from is the source of that
// clone.
func (in CloneInput) submodules(ctx context.Context, from, to string) error {
	info, err := os.Lstat(filepath.Join(to, ".gitmodules"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return err
	}
	env, _, err := in.environment(ctx, from)
	if err != nil {
		return err
	}
	git := func(env []string, args ...string) ([]byte, error) {
		return process.Output(ctx, process.Command{Args: append([]string{"git"}, args...), Dir: to, Env: env})
	}
	if !in.Stranger && !in.Copy {
		_, err := git(env, "submodule", "-q", "update", "--init", "--recursive")
		return err
	}
	if _, err := git(env, "submodule", "-q", "init"); err != nil {
		return err
	}
	// Those that init has registered, with resolved URLs.
	out, err := git(env, "config", "--local", "-z", "--get-regexp", `^submodule\..*\.url$`)
	if err != nil {
		return nil // none is registered
	}
	type submodule struct{ name, folder, from string }
	var all []submodule
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		key, source, _ := strings.Cut(entry, "\n")
		name := strings.TrimSuffix(strings.TrimPrefix(key, "submodule."), ".url")
		path, err := git(env, "config", "-f", ".gitmodules", "--get", "submodule."+name+".path")
		if err != nil {
			return fmt.Errorf("find the submodule %q: %w", name, err)
		}
		folder := strings.TrimSuffix(string(path), "\n")
		if !filepath.IsLocal(folder) {
			return fmt.Errorf("the submodule %q is in %q, which is not below the repository's root", name,
				folder)
		}
		if in.Copy {
			source = filepath.Join(from, folder)
		} else if err := in.mayFetch(name, source); err != nil {
			return err
		}
		all = append(all, submodule{name, folder, source})
	}
	// All are checked before any is fetched.
	for _, s := range all {
		own, as, err := in.environment(ctx, s.from)
		if err != nil {
			return err
		}
		if _, err := git(env, "config", "submodule."+s.name+".url", as); err != nil {
			return err
		}
		// The folder is not a pattern, which could match other submodules.
		if _, err := git(append(own, "GIT_LITERAL_PATHSPECS=1"), "submodule", "-q", "update", "--",
			s.folder); err != nil {
			return err
		}
		if err := in.submodules(ctx, s.from, filepath.Join(to, s.folder)); err != nil {
			return err
		}
	}
	return nil
}

// mayFetch returns an error for a submodule from another host than the source's.
func (in CloneInput) mayFetch(name, from string) error {
	host := hostOf(from)
	switch {
	case !Fetchable(from):
		return fmt.Errorf(
			"refusing to clone the submodule %q from %q: only https, http and ssh URLs are allowed", name,
			from)
	case in.AnySubmodules, host == hostOf(in.From), host == hostOf(in.Origin):
		return nil
	}
	return fmt.Errorf("the submodule %q comes from another host, %q; -allowSubmodules fetches it", name, from)
}

// Fetchable says whether git may fetch a URL that is not from the user. URLs other than HTTP and
// ssh ones can make git run programs, or read files of this machine.
func Fetchable(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Hostname() != "" && slices.Contains([]string{"https", "http", "ssh"}, u.Scheme) &&
		!strings.HasPrefix(u.Host, "-") && !strings.HasPrefix(u.User.Username(), "-") &&
		!strings.HasPrefix(u.Path, "/-") &&
		!strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// hostOf returns the host of a URL with its port; "" for a folder.
func hostOf(raw string) string {
	u, _ := parseRemote(raw)
	if u == nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// metadata are the folders and files by which the go command detects another version control
// system, and runs its program (cmd/go/internal/vcs).
var metadata = []string{".hg", ".svn", ".bzr", ".fslckout", "_fossil_"}

// otherMetadata returns an error for a tree with metadata of another system.
func otherMetadata(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(metadata, strings.ToLower(d.Name())) {
			return fmt.Errorf(
				"the source contains %s, so the go command would run another version control system",
				filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator))))
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return nil
	})
}
