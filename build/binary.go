package build

import (
	"context"
	"crypto/sha1" // for SPDX
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/plan"
)

// unit is one image for one platform on its way through the stages.
type unit struct {
	image    plan.Image
	platform plan.Platform
	// bare is a unit whose binary goes into an archive, and into no image.
	bare bool

	path string // of the binary
	// symbols is the file with the binary's debug symbols, found by the build id; both
	// are empty where they are not kept.
	symbols, buildID string
	// before is the binary as an earlier run left it, nil if there is none that
	// could be used; it is found out beside the compiler, which often leaves the
	// binary alone.
	before func() *examined
	*examined

	needs []needs.Need
	assembled
	described
}

func (u *unit) String() string { return u.image.Name + " " + u.platform.String() }

// units are the images of the plan for every platform, in the plan's order.
func (r *run) units() []*unit {
	p := r.resolved.Plan
	units := make([]*unit, 0, len(p.Images)*len(p.Platforms))
	for _, img := range p.Images {
		for _, platform := range p.Platforms {
			units = append(units, &unit{image: img, platform: platform})
		}
	}
	return units
}

// bareUnits are the same programs for the platforms that have archives alone.
func (r *run) bareUnits() []*unit {
	p := r.resolved.Plan
	var units []*unit
	for _, img := range p.Images {
		for _, platform := range p.ArchivePlatforms {
			units = append(units, &unit{image: img, platform: platform, bare: true})
		}
	}
	return units
}

// workFolder is where the compiler writes: outside the output folder, which
// changes only at the end, and the same for every run, because the go command
// links again if its output has gone. The lock of the output folder covers it.
func (r *run) workFolder() string {
	id := sha256.Sum256([]byte(r.dist + r.debug.flags()))
	return filepath.Join(r.Cache, "bin", hex.EncodeToString(id[:8]))
}

// trimWork removes the work folders of output folders that nobody has used for a
// month.
func (r *run) trimWork() error {
	now := time.Now()
	if err := os.Chtimes(r.workFolder(), now, now); err != nil {
		return err
	}
	folders, err := os.ReadDir(filepath.Dir(r.workFolder()))
	if err != nil {
		return err
	}
	for _, d := range folders {
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(info.ModTime()) < 30*24*time.Hour {
			continue
		}
		if err == nil {
			err = os.RemoveAll(filepath.Join(filepath.Dir(r.workFolder()), d.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compile compiles the images for one platform and examines what comes out.
func (r *run) compile(ctx context.Context, platform plan.Platform, units []*unit) error {
	return r.stage("compile "+platform.String(), func() (string, error) {
		images := make([]plan.Image, len(units))
		for i, u := range units {
			images[i] = u.image
		}
		err := compile.Build(ctx, r.resolved.Go, r.resolved.Plan, platform, images, r.workFolder())
		if err != nil {
			return "", r.explainCgo(ctx, err, platform, images)
		}
		unchanged := true
		for _, u := range units {
			info, err := os.Stat(u.path)
			if err != nil {
				return "", fmt.Errorf("read the binary: %w", err)
			}
			// The go command never writes into a binary that is there, and the file
			// is still open here, so the same file has the same content.
			if b := u.before(); b != nil && os.SameFile(b.info, info) && b.info.Size() == info.Size() {
				u.examined = b
			} else if u.examined, err = r.examine(ctx, u, false); err != nil {
				return "", err
			} else {
				unchanged = false
			}
			if u.bare {
				continue
			}
			if r.debug.isToolbox() { // which has no service
				u.needs = (&needs.Report{}).Apply(u.image.Include, nil)
				continue
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
		if unchanged {
			return "up to date", nil
		}
		return "", nil
	})
}

// explainCgo adds the packages that are written with cgo to the error of a
// compiler that did not get to see them.
func (r *run) explainCgo(ctx context.Context, err error, platform plan.Platform, images []plan.Image) error {
	refused := new(compile.Error)
	if !errors.As(err, &refused) {
		return err
	}
	for _, img := range images {
		if img.Cgo {
			continue
		}
		packages, listErr := r.resolved.Cgo(ctx, platform, img.Package)
		if listErr != nil || len(packages) == 0 {
			continue
		}
		return fmt.Errorf("%w\n%s is written with cgo, and image %s is compiled without it; "+
			"choose a base with a C library, such as distroless/base, and set Cgo, or replace that package, or exclude it with a build tag",
			err, strings.Join(packages, ", "), img.Name)
	}
	return err
}

// examined is a binary that has been proven, and what it says of itself.
type examined struct {
	file *os.File // open until the run ends
	info os.FileInfo
	size int64
	// sha256 is known, in hex, once hash has returned; at once for an old binary, which an
	// earlier run has left.
	sha256 string
	old    bool
	hash   func() error
	build  *debug.BuildInfo
	report needs.Report
	// elf is what the binary asks for; nil where it was compiled without cgo, and so for
	// nothing.
	elf *layerfs.ELF
	// digests are computed once somebody wants them.
	digests func() (digests, error)
}

// dynamic says that the binary asks for a dynamic linker, or for libraries.
func (e *examined) dynamic() bool {
	return e.elf != nil && (e.elf.Interp != "" || len(e.elf.Needed) > 0)
}

// examine proves a binary and reads from it what the later stages need, all at
// once, since a new binary is waited for. One that was there before is examined
// beside the compiler, for as little work as possible.
func (r *run) examine(ctx context.Context, u *unit, before bool) (*examined, error) {
	f, err := os.Open(u.path)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	r.mu.Lock()
	r.open = append(r.open, f)
	r.mu.Unlock()
	e := &examined{file: f, old: before}
	if e.info, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	e.size = e.info.Size()
	e.digests = sync.OnceValues(e.computeDigests)
	e.hash = sync.OnceValue(e.computeHash)
	if e.build, err = compile.Prove(f, r.resolved.Plan, u.image, u.platform); err != nil {
		return nil, err
	}
	if u.image.Cgo && u.platform.OS == "linux" {
		if e.elf, err = layerfs.ReadELF(f); err != nil {
			return nil, fmt.Errorf("read the binary of %s: %w", u, err)
		}
	}
	scan := func() (needs.Report, error) { return needs.Scan(f, e.size) }
	if u.bare { // the system that it runs on is not ours to make
		scan = func() (needs.Report, error) { return needs.Report{}, nil }
	}
	switch {
	case !before: // the SBOM of a new binary is a new one: it wants all, and waits for them
		e.digests = sync.OnceValues(e.computeAll)
		e.hash = func() error {
			_, err := e.digests()
			return err
		}
		r.background.Go(func() { _ = e.hash() })
		e.report, err = scan()
	case u.bare:
		err = e.hash()
	default:
		if err = e.hash(); err == nil {
			e.report, err = value(r, "needs-"+e.sha256, scan)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find what %s needs: %w", u, err)
	}
	return e, nil
}

// compiledBefore says that an earlier run has left all the binaries, whether they are up to
// date or not.
func (r *run) compiledBefore(units []*unit) bool {
	for _, u := range units {
		if _, err := os.Stat(compile.Path(r.workFolder(), u.image, u.platform)); err != nil {
			return false
		}
	}
	return true
}

// examineBefore begins to examine the binaries that earlier runs have left, unless
// something was edited since: then the compiler replaces them, and has better use
// for the processor.
func (r *run) examineBefore(ctx context.Context, units []*unit, g *errgroup.Group) {
	for _, u := range units {
		u.path = compile.Path(r.workFolder(), u.image, u.platform)
		u.before = sync.OnceValue(func() *examined {
			info, err := os.Stat(u.path)
			if err != nil || r.resolved.Newest.After(info.ModTime()) || runtime.GOOS == "windows" {
				return nil // on Windows nobody could replace a file that is open here
			}
			e, err := r.examine(ctx, u, true)
			if err != nil {
				return nil // the compiler makes a better one
			}
			return e
		})
		g.Go(func() error {
			u.before()
			return nil
		})
	}
}

func (e *examined) computeHash() error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(e.file, 0, e.size)); err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	e.sha256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// digests are what SPDX and CycloneDX want of a file besides its SHA-256, in hex.
type digests struct{ sha1, sha512 string }

func (e *examined) computeDigests() (digests, error) { return e.digestInto(io.Discard) }

// computeAll is computeHash and computeDigests in one reading.
func (e *examined) computeAll() (digests, error) {
	h := sha256.New()
	d, err := e.digestInto(h)
	e.sha256 = hex.EncodeToString(h.Sum(nil))
	return d, err
}

// digestInto reads the binary for the digests and for w.
func (e *examined) digestInto(w io.Writer) (digests, error) {
	h1, h512 := sha1.New(), sha512.New()
	if _, err := io.Copy(io.MultiWriter(w, h1, h512), io.NewSectionReader(e.file, 0, e.size)); err != nil {
		return digests{}, fmt.Errorf("read the binary: %w", err)
	}
	return digests{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}, nil
}

// value keeps what make returns in the cache, as JSON. What was kept by another
// build of thimble itself is not taken.
func value[T any](r *run, key string, make func() (T, error)) (T, error) {
	var v T
	fresh := false
	b, err := r.cache.Value(r.salt+key, func() ([]byte, error) {
		var err error
		if v, err = make(); err != nil {
			return nil, err
		}
		fresh = true
		return json.Marshal(v)
	})
	if err != nil || fresh {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}
