package build

import (
	"context"
	"crypto/sha1" // for SPDX
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/needs"
)

// examined is a binary that has been proven, and what it says of itself.
type examined struct {
	file *os.File // open until the run ends
	ends context.Context
	info os.FileInfo // from before it was read
	size int64
	// verify makes open hash what it reads.
	verify bool
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

// open reads the binary. An end that is no error proves that it is the one that was hashed;
// of a new binary, check proves it.
func (e *examined) open() (io.ReadCloser, error) {
	content := e.content()
	if !e.verify {
		return io.NopCloser(content), nil
	}
	return io.NopCloser(filesum.Verify(content, e.size, func() (string, error) {
		err := e.hash()
		return e.sha256, err
	})), nil
}

// content reads the binary until the run ends.
func (e *examined) content() io.Reader {
	return limit.Reader(e.ends, io.NewSectionReader(e.file, 0, e.size))
}

// checkAll calls check for all units: what was hashed, described and copied at different
// times was the same all the time.
func checkAll(ctx context.Context, units ...[]*unit) error {
	for _, u := range slices.Concat(units...) {
		if err := u.check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if the binary or a layer of the image has changed since it was
// hashed.
func (u *unit) check(ctx context.Context) error {
	if err := u.hash(); err != nil {
		return err
	}
	if err := (filesum.Sums{}).Check(ctx, u.file, u.info, u.sha256); err != nil {
		return fmt.Errorf("check the binary of %s: %w", u, err)
	}
	for _, l := range slices.Concat(u.base.Layers(), u.layers) {
		if cached, ok := l.Layer.(*cache.Layer); ok {
			if err := cached.Check(ctx); err != nil {
				return fmt.Errorf("check a layer of %s: %w", u, err)
			}
		}
	}
	return nil
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
	e := &examined{file: f, ends: r.whole, old: before, verify: before || r.hashAll}
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
	if u.archiveOnly { // the system that it runs on is not ours to make
		scan = func() (needs.Report, error) { return needs.Report{}, nil }
	}
	switch {
	case !before: // the SBOM of a new binary is a new one: it wants all, and waits for them
		e.digests = sync.OnceValues(e.computeAll)
		e.hash = func() error {
			_, err := e.digests()
			return err
		}
		r.background.Go(func() {
			if e.hash() == nil { // whoever needs it sees the error
				r.linkedFiles().Note(u.path, e.sha256)
			}
		})
		e.report, err = scan()
	case u.archiveOnly:
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
// the source was edited since: then the compiler replaces them, and has better use
// for the processor.
func (r *run) examineBefore(ctx context.Context, units []*unit, edited time.Time, g *errgroup.Group) {
	for _, u := range units {
		u.path = compile.Path(r.workFolder(), u.image, u.platform)
		u.before = sync.OnceValue(func() *examined {
			info, err := os.Stat(u.path)
			if err != nil || edited.After(info.ModTime()) || runtime.GOOS == "windows" {
				return nil // on Windows nobody could replace a file that is open here
			}
			e, err := r.examine(ctx, u, true)
			if err != nil {
				return nil // the compiler makes a better one
			}
			return e
		})
		g.Go(func() error {
			if b := u.before(); b != nil && !r.hashAll {
				// It saves time, and no more: what is linked now is checked later.
				_ = r.modules.Check(ctx, linkedModules(b.build, r.resolved.Plan.Toolchain.Mod))
			}
			return nil
		})
	}
}

func (e *examined) computeHash() error {
	h := sha256.New()
	if _, err := io.Copy(h, e.content()); err != nil {
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
	if _, err := io.Copy(io.MultiWriter(w, h1, h512), e.content()); err != nil {
		return digests{}, fmt.Errorf("read the binary: %w", err)
	}
	return digests{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}, nil
}
