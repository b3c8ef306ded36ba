package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/report"
)

// Between compares two builds by their manifest.json files and, if they are beside these, by
// the layouts, binaries and documents. a and b are such files, or the folders that contain them,
// relative to Options.Workdir. A difference between the builds is not an error: it is in the
// Comparison.
func Between(ctx context.Context, o Options, a, b string) (*report.Comparison, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	var builds [2]compare.Build
	for i, name := range []string{a, b} {
		file := s.Path(name)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, distfolder.ManifestName)
		}
		dir, err := distfolder.Open(filepath.Dir(file), ".")
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		defer dir.Close() // only read
		m, err := dir.Manifest(filepath.Base(file))
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", name, err)
		}
		if builds[i], err = dir.Build(ctx, name, m); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp("", "thimble-compare-")
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", strings.Join([]string{a, b}, " and "), err)
	}
	c, err := compare.Compare(ctx, builds[0], builds[1], tmp)
	return c, errors.Join(err, os.RemoveAll(tmp))
}
