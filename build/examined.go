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

// examined is a proven binary with the values that were read from it.
type examined struct {
	file *os.File // open until the run ends
	ends context.Context
	info os.FileInfo // from before it was read
	size int64
	// verify makes open hash what it reads.
	verify bool
	// sha256 is in hex. It is set when hash has returned; for an old binary, which an earlier
	// run left, from the start.
	sha256 string
	old    bool
	hash   func() error
	build  *debug.BuildInfo
	report needs.Report
	// elf is the ELF header data of the binary; nil if it was compiled without cgo, and so
	// needs no libraries.
	elf *layerfs.ELF
	// digests are computed on first use.
	digests func() (digests, error)
}

// dynamic reports whether the binary needs a dynamic linker or libraries.
func (e *examined) dynamic() bool {
	return e.elf != nil && (e.elf.Interp != "" || len(e.elf.Needed) > 0)
}

// open reads the binary. If reading ends without an error, the content is what was hashed. For
// a new binary, check proves that later.
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

// checkAll calls check for all units: it proves that the same content was hashed, described and
// copied, although at different times.
func checkAll(ctx context.Context, units ...[]*unit) error {
	for _, u := range slices.Concat(units...) {
		if err := u.check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if the binary or a layer of the image has changed since it was hashed.
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

// examine proves a binary and reads everything that later stages need. For a new binary it does
// all of this at once, because other stages wait for it. An older binary is examined while the
// compiler runs, with as little work as possible.
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
	if u.archiveOnly { // it runs on a system that we do not build
		scan = func() (needs.Report, error) { return needs.Report{}, nil }
	}
	switch {
	case !before: // a new binary gets a new SBOM, which needs all digests
		e.digests = sync.OnceValues(e.computeAll)
		e.hash = func() error {
			_, err := e.digests()
			return err
		}
		r.background.Go(func() {
			if e.hash() == nil { // the callers of hash get the error
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

// compiledBefore reports whether an earlier run left all the binaries, up to date or not.
func (r *run) compiledBefore(units []*unit) bool {
	for _, u := range units {
		if _, err := os.Stat(compile.Path(r.workFolder(), u.image, u.platform)); err != nil {
			return false
		}
	}
	return true
}

// examineBefore starts to examine the binaries of earlier runs. It skips those that are older
// than the last edit of the source: the compiler replaces them and needs the processor.
func (r *run) examineBefore(ctx context.Context, units []*unit, edited time.Time, g *errgroup.Group) {
	for _, u := range units {
		u.path = compile.Path(r.workFolder(), u.image, u.platform)
		u.before = sync.OnceValue(func() *examined {
			info, err := os.Stat(u.path)
			if err != nil || edited.After(info.ModTime()) || runtime.GOOS == "windows" {
				return nil // on Windows an open file cannot be replaced
			}
			e, err := r.examine(ctx, u, true)
			if err != nil {
				return nil // the compiler makes a new one
			}
			return e
		})
		g.Go(func() error {
			if b := u.before(); b != nil && !r.hashAll {
				// This only saves time: what is linked is checked again later.
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

// digests are the digests that SPDX and CycloneDX require in addition to SHA-256, in hex.
type digests struct{ sha1, sha512 string }

func (e *examined) computeDigests() (digests, error) { return e.digestInto(io.Discard) }

// computeAll does computeHash and computeDigests with one read.
func (e *examined) computeAll() (digests, error) {
	h := sha256.New()
	d, err := e.digestInto(h)
	e.sha256 = hex.EncodeToString(h.Sum(nil))
	return d, err
}

// digestInto reads the binary for the digests and copies it to w.
func (e *examined) digestInto(w io.Writer) (digests, error) {
	h1, h512 := sha1.New(), sha512.New()
	if _, err := io.Copy(io.MultiWriter(w, h1, h512), e.content()); err != nil {
		return digests{}, fmt.Errorf("read the binary: %w", err)
	}
	return digests{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}, nil
}
