package git

import (
	"context"
	"fmt"
	"strings"
)

// Commit is one line of a log.
type Commit struct {
	// Hash is the full hash, Subject the first line of the message.
	Hash, Subject string
}

// Log returns the commits of HEAD's history that are not in the history of the tag since, the
// newest first; all of them if since is empty. Only those that touch dir, relative to Root,
// count; "." is everything. Merges are left out.
func (r *Repo) Log(ctx context.Context, since, dir string) ([]Commit, error) {
	span := "HEAD"
	if since != "" {
		span = "refs/tags/" + since + "..HEAD"
	}
	args := []string{"log", "-z", "--no-merges", "--no-color", "--format=%H %s", span, "--"}
	if dir != "." {
		args = append(args, dir)
	}
	out, err := r.git(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("list the commits since %q: %w", since, treeless(err))
	}
	var commits []Commit
	for line := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if hash, subject, ok := strings.Cut(line, " "); ok {
			commits = append(commits, Commit{Hash: hash, Subject: subject})
		}
	}
	return commits, nil
}

// treeless adds the solution to git's error about missing trees in a partial clone, such as one
// with --filter=tree:0: nothing is fetched.
func treeless(err error) error {
	if text := err.Error(); strings.Contains(text, "promisor") || strings.Contains(text, "lazy fetching") {
		return fmt.Errorf(
			"%w\nthe clone has no trees of its history; run git fetch --refetch --filter=blob:none", err)
	}
	return err
}
