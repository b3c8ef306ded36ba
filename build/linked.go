package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/plan"
)

// compile compiles the images for one platform and examines the binaries.
func (r *run) compile(ctx context.Context, stage string, platform plan.Platform, units []*unit) error {
	return r.Stage(stage+" "+platform.String(), func() (string, error) {
		unchanged := true
		for again := units; len(again) > 0; {
			kept, err := r.goBuild(ctx, platform, again)
			if err != nil {
				return "", err
			}
			again = nil
			for _, u := range units {
				left, asked := kept[u]
				if !asked {
					continue
				}
				if u.examined, err = r.examined(ctx, u, left); err != nil {
					return "", err
				}
				if u.examined == nil {
					again = append(again, u)
				}
				unchanged = unchanged && left && u.examined != nil
			}
		}
		for _, u := range units {
			if err := r.modules.Check(ctx, linkedModules(u.build, r.resolved.Plan.Toolchain.Mod)); err != nil {
				return "", err
			}
			r.findNeeds(u)
		}
		if unchanged {
			return "up to date", nil
		}
		return "", nil
	})
}

// linkedModules returns the modules of a binary that were compiled from the module cache, given
// the plan's -mod. Modules in the repository and in vendor/ are part of the repository and left
// out.
func linkedModules(info *debug.BuildInfo, mod string) (modules []modsum.Module) {
	if mod == "vendor" {
		return nil
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" && m.Version != "(devel)" {
			modules = append(modules, modsum.Module{Path: m.Path, Version: m.Version, Sum: m.Sum})
		}
	}
	return modules
}

// findNeeds decides what a unit's image gets, by what its binary can use.
func (r *run) findNeeds(u *unit) {
	switch {
	case u.archiveOnly:
		return
	case r.debug.isToolbox(): // it has no service
		u.needs = (&needs.Report{}).Apply(u.image.Include, nil)
		return
	}
	report := u.report
	if u.image.Cgo {
		report = report.WithC()
	}
	u.needs = report.Apply(u.image.Include, u.image.Exclude)
	if report.Unknown != "" {
		r.Progress.Notice(fmt.Sprintf("%s gets everything that a program can need: %s", u, report.Unknown))
	}
}

// goBuild runs the go command, and reports for each binary whether it was left unchanged.
func (r *run) goBuild(ctx context.Context, platform plan.Platform, units []*unit) (map[*unit]bool, error) {
	images := make([]plan.Image, len(units))
	before := make([]fs.FileInfo, len(units))
	for i, u := range units {
		images[i] = u.image
		var err error
		if before[i], err = r.linkedFiles().Before(u.path); err != nil {
			return nil, err
		}
	}
	if err := compile.Build(ctx, r.resolved.Go, r.resolved.Plan, platform, images, r.workFolder()); err != nil {
		return nil, r.explainCgo(ctx, err, platform, images)
	}
	left := map[*unit]bool{}
	for i, u := range units {
		info, err := os.Lstat(u.path)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is no regular file any more", u.path)
		}
		if err != nil {
			return nil, fmt.Errorf("read the binary: %w", err)
		}
		// The go command never writes into an existing binary; it replaces the file. If the
		// binary is up to date, it only changes the time of the file.
		left[u] = before[i] != nil && os.SameFile(before[i], info) && before[i].Size() == info.Size()
	}
	return left, nil
}

// examined examines a binary after the go command has ended. left says that it existed before.
// If it is not what the linker wrote, examined removes it and returns nil.
func (r *run) examined(ctx context.Context, u *unit, left bool) (*examined, error) {
	if !left {
		return r.examine(ctx, u, false)
	}
	info, err := os.Stat(u.path)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	b := u.examined // if the go command was called again
	if b == nil || !os.SameFile(b.info, info) {
		b = u.before()
	}
	if b == nil || !os.SameFile(b.info, info) {
		if b, err = r.examine(ctx, u, true); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			r.Progress.Notice(fmt.Sprintf("%s is linked again: %v", u, err))
			return nil, r.linkedFiles().Remove(u.path)
		}
	}
	if !r.linkedFiles().Has(u.path, b.sha256) {
		r.Progress.Notice(fmt.Sprintf("%s is linked again: its binary in the cache was changed", u))
		return nil, r.linkedFiles().Remove(u.path)
	}
	b.info = info // the go command has changed its time
	return b, nil
}

// linkedFiles returns the record of what the linker wrote.
func (r *run) linkedFiles() compile.Linked { return compile.Linked{Cache: r.cache} }

// madeFile is a file in the work folder other than a binary.
type madeFile struct {
	file   *os.File // open until the run ends
	info   fs.FileInfo
	sha256 string
}

// open reads the file. If reading ends without an error, the content is what was hashed.
func (m *madeFile) open() (io.ReadCloser, error) {
	content := io.NewSectionReader(m.file, 0, m.info.Size())
	return io.NopCloser(filesum.Verify(content, m.info.Size(), func() (string, error) { return m.sha256, nil })), nil
}

// makeFile returns the file that make writes to the path. make may keep a file of an earlier
// run, so makeFile first removes a file that differs from what that run made.
func (r *run) makeFile(ctx context.Context, path string, make func() error) (*madeFile, error) {
	before, err := r.openMade(ctx, path)
	if err != nil {
		return nil, err
	}
	if before == nil || !r.linkedFiles().Has(path, before.sha256) {
		before = nil
		if err := r.linkedFiles().Remove(path); err != nil {
			return nil, err
		}
	}
	if err := make(); err != nil {
		return nil, err
	}
	after, err := r.openMade(ctx, path)
	if err != nil {
		return nil, err
	}
	if after == nil {
		return nil, fmt.Errorf("read %s: nothing has made it", path)
	}
	if before != nil && os.SameFile(before.info, after.info) && before.sha256 != after.sha256 {
		return nil, fmt.Errorf("%s was changed while it was used; run it again", path)
	}
	r.linkedFiles().Note(path, after.sha256)
	return after, nil
}

// openMade opens and hashes a file of the work folder; nil if it does not exist.
func (r *run) openMade(ctx context.Context, path string) (*madeFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.open = append(r.open, f)
	r.mu.Unlock()
	m := &madeFile{file: f}
	if m.info, err = f.Stat(); err != nil {
		return nil, err
	}
	m.sha256, err = r.cache.Sums().Of(ctx, f)
	return m, err
}
