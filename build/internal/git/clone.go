package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
)

// CloneInput is what Clone takes.
type CloneInput struct {
	// From is a URL or a folder, To a folder that does not exist yet.
	From, To string
	// Commit is the full hash of the commit to check out.
	Commit string
	// Shallow fetches that commit alone, without history and tags.
	Shallow bool
	// Origin is what the remote is called in the clone; From if empty.
	Origin string
	Env    []string
}

// Clone makes a repository of its own, with the commit checked out and its submodules.
// It writes nothing outside of To.
func Clone(ctx context.Context, in CloneInput) error {
	if err := clone(ctx, in); err != nil {
		return fmt.Errorf("clone %s at commit %s: %w", in.From, in.Commit, err)
	}
	return nil
}

func clone(ctx context.Context, in CloneInput) error {
	env := slices.DeleteFunc(slices.Clone(in.Env), func(e string) bool { // what git's hooks set
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}, name)
	})
	env = append(env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	run := func(dir string, args ...string) error {
		return process.Run(ctx, process.Command{Args: append([]string{"git"}, args...), Dir: dir, Env: env})
	}
	if strings.HasPrefix(in.From, "-") || strings.HasPrefix(in.Commit, "-") {
		return errors.New("that is an option of git")
	}
	if err := os.MkdirAll(filepath.Dir(in.To), 0o777); err != nil {
		return err
	}
	if in.Shallow {
		for _, args := range [][]string{{"init", "-q", in.To}, {"-C", in.To, "remote", "add", "origin", in.From}} {
			if err := run(filepath.Dir(in.To), args...); err != nil {
				return err
			}
		}
		if err := run(in.To, "fetch", "-q", "--depth=1", "--no-tags", "origin", in.Commit); err != nil {
			return err
		}
	} else {
		if err := run(filepath.Dir(in.To), "clone", "-q", "--no-checkout", "--", in.From, in.To); err != nil {
			return err
		}
		if err := run(in.To, "cat-file", "-e", in.Commit+"^{commit}"); err != nil {
			// It may be on no branch, as the commits of pull requests are.
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
	if err := run(in.To, "-c", "advice.detachedHead=false", "checkout", "-q", "--detach", in.Commit); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(in.To, ".gitmodules")); err != nil {
		return nil
	}
	return run(in.To, "submodule", "-q", "update", "--init", "--recursive")
}
