package build

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
	"github.com/thimble-build/thimble/build/internal/generated"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// before runs the commands of Config.Before. It returns what was there before them, nil
// where there are no commands or no git: what they make is in no commit, and does not make
// the tree dirty. fresh removes what they made in an earlier run, so that they make it.
func (r *run) before(ctx context.Context, fresh bool) (generated.Standing, error) {
	if len(r.Config.Before) == 0 {
		return nil, nil
	}
	var standing generated.Standing
	repo, err := git.Open(filepath.Join(r.Workdir, filepath.FromSlash(r.Config.Dir)), r.Env)
	switch {
	case err == nil:
		if standing, err = r.standing(ctx, repo, fresh); err != nil {
			return nil, err
		}
	case !errors.Is(err, git.ErrNone):
		return nil, err
	}
	for _, hook := range r.Config.Before {
		if err := r.hook(ctx, hook); err != nil {
			return nil, err
		}
	}
	if repo == nil {
		return nil, nil
	}
	return standing, r.excludeMade(ctx, repo, standing)
}

// excludeMade lets git, and the go command's stamp with it, overlook what the commands made,
// whether or not it is in .gitignore.
func (r *run) excludeMade(ctx context.Context, repo *git.Repo, standing generated.Standing) error {
	root, err := filepath.EvalSymlinks(repo.Root)
	if err != nil {
		return err
	}
	untracked, err := repo.Untracked(ctx)
	if err != nil {
		return err
	}
	var patterns []string
	for _, name := range untracked {
		if standing.Made(filepath.Join(root, filepath.FromSlash(name))) && !strings.ContainsAny(name, "\r\n") {
			patterns = append(patterns, strings.ReplaceAll("/"+git.Quote(name), " ", `\ `))
		}
	}
	if len(patterns) == 0 {
		return nil
	}
	users, err := repo.Excludes(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(filepath.Dir(r.recordFile()), "excludes")
	if err = os.MkdirAll(filepath.Dir(file), 0o755); err == nil {
		err = atomicfile.Write(file, fmt.Appendf(users, "\n%s\n", strings.Join(patterns, "\n")), 0o644)
	}
	if err != nil {
		return fmt.Errorf("exclude what Config.Before made: %w", err)
	}
	r.Env = git.Exclude(r.Env, file)
	return nil
}

func (r *run) standing(ctx context.Context, repo *git.Repo, fresh bool) (generated.Standing, error) {
	root, err := filepath.EvalSymlinks(repo.Root)
	if err != nil {
		return nil, fmt.Errorf("look at the tree before Config.Before runs: %w", err)
	}
	made := generated.ReadRecord(r.recordFile())
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
	return generated.List(ctx, root, r.Dist, made)
}

// recordFile remembers what Config.Before made in the module's folder.
func (r *run) recordFile() string {
	id := sha256.Sum256([]byte(filepath.Join(r.Workdir, filepath.FromSlash(r.Config.Dir))))
	return filepath.Join(r.Cache, "bin", hex.EncodeToString(id[:8]), "generated.json")
}

// hook runs one of Config.Before in the module's folder.
func (r *run) hook(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return errors.New("an entry of Config.Before is an empty command")
	}
	return r.Stage("before "+filepath.Base(args[0]), func() (string, error) {
		err := process.Run(ctx, process.Command{
			Args: args, Dir: filepath.Join(r.Workdir, filepath.FromSlash(r.Config.Dir)), Env: r.Env, Confined: r.Confines(),
		})
		if err != nil {
			return "", fmt.Errorf("run Config.Before %q: %w", args, err)
		}
		return "", nil
	})
}

// splitGenerated takes what Config.Before made out of the differences.
func (r *run) splitGenerated(found *findings) error {
	if r.stood == nil {
		return nil
	}
	var rest []source.Difference
	record := generated.Record{}
	for _, d := range found.differences {
		if d.Kind != source.Untracked || d.Path == "" {
			rest = append(rest, d)
			continue
		}
		if !r.stood.Made(d.Path) {
			if d.Reason == "" {
				d.Reason = "it was there before Config.Before ran; if Config.Before makes it, remove it, so that it does"
			}
			rest = append(rest, d)
			continue
		}
		sum, err := generated.Sum(d.Path)
		if err != nil { // such as an empty folder, which a file would be named of
			continue
		}
		record[d.Path] = sum
		found.generated = append(found.generated, plan.GeneratedFile{Name: d.File, SHA256: sum})
	}
	found.differences = rest
	if len(found.generated) == 0 {
		return nil
	}
	if r.Config.RefuseGenerated {
		return fmt.Errorf("%s is made by Config.Before, and no commit has it, which Config.RefuseGenerated refuses; commit it", found.generated[0].Name)
	}
	return record.Write(r.recordFile(), generated.ReadRecord(r.recordFile()))
}

// noticeGenerated tells the user what no commit has.
func (r *run) noticeGenerated() {
	if text := r.resolved.Plan.GeneratedText(); text != "" {
		r.Progress.Notice(text + ", made by Config.Before")
	}
}
