package generated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Run runs the commands of Config.Before in the module's folder. It returns what existed
// before, nil without commands or without git, and the environment in which git and the go
// command's stamp ignore the files that the commands made. With fresh, it first removes the
// files of an earlier run.
func Run(ctx context.Context, s *session.Session, fresh bool) (Standing, []string, error) {
	if len(s.Config.Before) == 0 {
		return nil, s.Env, nil
	}
	var standing Standing
	repo, err := git.Open(s.ModuleDir(), s.Env)
	switch {
	case err == nil:
		if standing, err = look(ctx, s, repo, fresh); err != nil {
			return nil, nil, err
		}
	case !errors.Is(err, git.ErrNone):
		return nil, nil, err
	}
	for _, args := range s.Config.Before {
		if err := command(ctx, s, args); err != nil {
			return nil, nil, err
		}
	}
	if repo == nil {
		return nil, s.Env, nil
	}
	env, err := exclude(ctx, s, repo, standing)
	return standing, env, err
}

// Remember adds to the record of what the commands made in the module's folder.
func Remember(s *session.Session, made Record) error {
	return made.Write(recordFile(s), ReadRecord(recordFile(s)))
}

// recordFile returns the path of the record of what the commands made in the module's folder.
func recordFile(s *session.Session) string {
	id := sha256.Sum256([]byte(s.ModuleDir()))
	return filepath.Join(s.Cache, "bin", hex.EncodeToString(id[:8]), "generated.json")
}

// exclude returns the environment in which git, and so the go command's stamp, ignores the
// files that the commands made, whether or not they are in .gitignore.
func exclude(ctx context.Context, s *session.Session, repo *git.Repo, standing Standing) ([]string, error) {
	root, err := filepath.EvalSymlinks(repo.Root)
	if err != nil {
		return nil, err
	}
	untracked, err := repo.Untracked(ctx)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, name := range untracked {
		if standing.Made(filepath.Join(root, filepath.FromSlash(name))) &&
			!strings.ContainsAny(name, "\r\n") {
			patterns = append(patterns, strings.ReplaceAll("/"+git.Quote(name), " ", `\ `))
		}
	}
	if len(patterns) == 0 {
		return s.Env, nil
	}
	users, err := repo.Excludes(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(filepath.Dir(recordFile(s)), "excludes")
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
		err = atomicfile.Write(file, fmt.Appendf(users, "\n%s\n", strings.Join(patterns, "\n")), 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("exclude what Config.Before made: %w", err)
	}
	return git.Exclude(s.Env, file), nil
}

// look lists what exists before the commands run.
func look(ctx context.Context, s *session.Session, repo *git.Repo, fresh bool) (Standing, error) {
	root, err := filepath.EvalSymlinks(repo.Root)
	if err != nil {
		return nil, fmt.Errorf("read the tree before Config.Before runs: %w", err)
	}
	made := ReadRecord(recordFile(s))
	if fresh && len(made) > 0 {
		tracked, err := repo.Tracked(ctx)
		if err != nil {
			return nil, err
		}
		keep := map[string]bool{}
		for _, name := range tracked {
			keep[filepath.Join(root, filepath.FromSlash(name))] = true
		}
		if _, err := made.Remove(root, keep); err != nil {
			return nil, err
		}
	}
	return List(ctx, root, s.Dist, made)
}

// command runs one of the commands in the module's folder.
func command(ctx context.Context, s *session.Session, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("an entry of Config.Before is an empty command")
	}
	return s.Stage("before "+filepath.Base(args[0]), func() (string, error) {
		err := process.Run(ctx, process.Command{
			Args: args, Dir: s.ModuleDir(), Env: s.Env, Confined: s.Confines(),
		})
		if err != nil {
			return "", fmt.Errorf("run Config.Before %q: %w", args, err)
		}
		return "", nil
	})
}
