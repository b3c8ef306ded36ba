package materials

import (
	"cmp"
	"context"
	"slices"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/modsum"
)

// Licenses are the licences of the modules that are linked into a program, and of the standard
// library.
type Licenses struct {
	modules []license.Module
	results []license.Result // of the same modules
}

// ScanLicenses scans the licences of the standard library and the modules. memo caches the results,
// because the first scan is slow; modcache checks modules before their results are cached.
func ScanLicenses(ctx context.Context, std license.Module, modules []golist.Module, modcache *modsum.Cache,
	memo license.Memo) (Licenses, error) {
	l := Licenses{modules: []license.Module{std}}
	for _, m := range modules {
		linked := modsum.Module{Path: cmp.Or(m.Replacement, m.Path),
			Version: cmp.Or(m.ReplacementVersion, m.Version), Sum: m.Sum}
		l.modules = append(l.modules, license.Module{
			Path: m.Path, Version: m.Version, Sum: m.Sum, Dir: m.Dir, Packages: m.Packages,
			Verify: func(ctx context.Context) error { return modcache.CheckNow(ctx, linked) },
		})
	}
	var err error
	l.results, err = license.Scan(ctx, l.modules, memo)
	return l, err
}

// ByPath returns the results by module path; that of the standard library is "std".
func (l Licenses) ByPath() map[string]license.Result {
	all := map[string]license.Result{}
	for _, r := range l.results {
		all[r.Path] = r
	}
	return all
}

// Except returns the licences without those of the modules with these paths.
func (l Licenses) Except(paths []string) (other Licenses) {
	for i, m := range l.modules {
		if !slices.Contains(paths, m.Path) {
			other.modules, other.results = append(other.modules, m), append(other.results, l.results[i])
		}
	}
	return other
}

// Results are what was found, in the order of the modules.
func (l Licenses) Results() []license.Result { return l.results }

// Texts returns the texts of the licences as one file.
func (l Licenses) Texts() ([]byte, error) { return license.Texts(l.modules, l.results) }

// OwnLicense returns the licence of the service as an SPDX expression: that of its module's root,
// else that of the repository; "" if there is none.
func (s Source) OwnLicense(ctx context.Context, memo license.Memo) (string, error) {
	for _, dir := range s.Draft.LicenseFolders() {
		results, err := license.Scan(ctx, []license.Module{{Path: s.Draft.Plan.Module.Path, Dir: dir,
			Packages: []string{"."}}}, memo)
		if err != nil {
			return "", err
		}
		if declared := results[0].Declared; declared != "" {
			return declared, nil
		}
	}
	return "", nil
}
