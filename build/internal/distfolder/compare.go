package distfolder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/report"
)

// Compare compares two builds. a and b name manifest.json files, or the folders that contain them;
// path returns where that is.
func Compare(ctx context.Context, path func(name string) string, a, b string) (*report.Comparison, error) {
	var builds [2]compare.Build
	for i, name := range []string{a, b} {
		dir, one, err := openBuild(ctx, name, path(name))
		if err != nil {
			return nil, err
		}
		defer dir.Close() // only read
		builds[i] = one
	}
	tmp, err := os.MkdirTemp("", "thimble-compare-")
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", strings.Join([]string{a, b}, " and "), err)
	}
	c, err := compare.Compare(ctx, builds[0], builds[1], tmp)
	return c, errors.Join(err, os.RemoveAll(tmp))
}

// openBuild returns what a manifest.json lists, and its folder. file is the manifest.json or the
// folder; name is that of the build in the comparison. The caller closes the folder after the last
// use of the build.
func openBuild(ctx context.Context, name, file string) (f *Folder, b compare.Build, err error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, ManifestName)
	}
	if f, err = Open(filepath.Dir(file), "."); err != nil {
		return nil, b, fmt.Errorf("read %s: %w", name, err)
	}
	m, err := f.Manifest(filepath.Base(file))
	if err != nil {
		return nil, b, errors.Join(fmt.Errorf("compare %s: %w", name, err), f.Close())
	}
	if b, err = f.Build(ctx, name, m); err != nil {
		return nil, b, errors.Join(err, f.Close())
	}
	return f, b, nil
}
