package materials

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// Profiles returns the existing default.pgo files beside the main packages, sorted by name.
func (s Source) Profiles(ctx context.Context, lists Lists) ([]plan.Profile, error) {
	var files []string
	for _, list := range lists {
		files = append(files, list.Compiled.Profiles...)
	}
	slices.Sort(files)
	var found []plan.Profile
	for _, file := range slices.Compact(files) {
		content, err := readFile(ctx, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read a profile: %w", err)
		}
		name, ok := s.Draft.Tree().InRepository(file)
		if rel, err := filepath.Rel(s.Draft.Dir, file); !ok && err == nil {
			name = filepath.ToSlash(rel)
		}
		found = append(found, plan.Profile{Name: name, SHA256: fmt.Sprintf("%x", sha256.Sum256(content))})
	}
	slices.SortFunc(found, func(a, b plan.Profile) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}
