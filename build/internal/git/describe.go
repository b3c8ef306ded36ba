package git

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/internal/process"
)

// maxExcluded limits how many nearest tags Describe skips.
const maxExcluded = 20

// Describe finds the nearest tag in HEAD's history, as git describe --tags does, among those that
// the patterns match (git-describe, --match) and that may be used. It returns all tags of that
// commit, and the number of commits since; none if there is no such tag.
func (r *Repo) Describe(ctx context.Context, patterns []string,
	may func(tag string) bool) (tags []string, commits int, err error) {
	args := []string{"describe", "--tags", "--long", "--abbrev=40"}
	for _, p := range patterns {
		args = append(args, "--match="+p)
	}
	for range maxExcluded {
		out, err := r.git(ctx, append(args, "HEAD")...)
		if failed := new(process.Error); errors.As(err, &failed) && ctx.Err() == nil {
			return nil, 0, nil // no tag matches
		}
		if err != nil {
			return nil, 0, fmt.Errorf("find the nearest tag: %w", err)
		}
		tag, n, err := cutDescription(strings.TrimSpace(string(out)))
		if err != nil {
			return nil, 0, err
		}
		if !may(tag) {
			args = append(args, "--exclude="+Quote(tag))
			continue
		}
		out, err = r.git(ctx, "tag", "--points-at", "refs/tags/"+tag+"^{commit}")
		if err != nil {
			return nil, 0, fmt.Errorf("find the nearest tag: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			if tag := strings.TrimSpace(line); may(tag) {
				tags = append(tags, tag)
			}
		}
		return tags, n, nil
	}
	return nil, 0, nil
}

// cutDescription splits TAG-COMMITS-gHASH.
func cutDescription(text string) (tag string, commits int, err error) {
	rest, _, _ := cutLast(text, "-g")
	tag, number, ok := cutLast(rest, "-")
	if commits, err = strconv.Atoi(number); !ok || err != nil {
		return "", 0, fmt.Errorf("find the nearest tag: git describe printed %q", text)
	}
	return tag, commits, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
