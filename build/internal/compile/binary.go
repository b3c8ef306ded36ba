package compile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/plan"
)

// Binary is a proven binary (see Prove), with the values that were read from it.
type Binary struct {
	// Program is what was compiled.
	Program artifact.Program
	Path    string
	Size    int64 // bytes
	// Old says that an earlier run left it, and that its hash is known already.
	Old   bool
	Build *debug.BuildInfo
	// Report is what it needs of an operating system; empty if it goes only into an archive.
	Report needs.Report
	// ELF describes its libraries; nil if it was compiled without cgo, and so needs none.
	ELF *layerfs.ELF

	file   *os.File
	ends   context.Context
	info   fs.FileInfo // from before it was read
	verify bool        // Open hashes what it reads
	sum    string
	// hash sets sum.
	hash    func() error
	digests func() (filesum.Digests, error)
}

// Dynamic reports whether the binary needs a dynamic linker or libraries.
func (b *Binary) Dynamic() bool {
	return b.ELF != nil && (b.ELF.Interp != "" || len(b.ELF.Needed) > 0)
}

// SHA256 returns the hash of the binary in hex. It waits until the binary is hashed.
func (b *Binary) SHA256() (string, error) {
	err := b.hash()
	return b.sum, err
}

// Digests returns all digests. For an old binary they are calculated on the first call.
func (b *Binary) Digests() (filesum.Digests, error) { return b.digests() }

// File returns the open file. The caller must not close it.
func (b *Binary) File() *os.File { return b.file }

// Open reads the binary. If reading ends without an error, the content is what was hashed. For a
// new binary, Check proves that later.
func (b *Binary) Open() (io.ReadCloser, error) {
	content := b.content()
	if !b.verify {
		return io.NopCloser(content), nil
	}
	return io.NopCloser(filesum.Verify(content, b.Size, b.SHA256)), nil
}

func (b *Binary) content() io.Reader {
	return limit.Reader(b.ends, io.NewSectionReader(b.file, 0, b.Size))
}

// Check returns an error if the file has changed since it was hashed.
func (b *Binary) Check(ctx context.Context) error {
	sum, err := b.SHA256()
	if err != nil {
		return err
	}
	if err := (filesum.Sums{}).Check(ctx, b.file, b.info, sum); err != nil {
		return fmt.Errorf("check the binary of %s: %w", b.Program, err)
	}
	return nil
}

// examine proves a binary and reads everything that later stages need. For a new binary it does
// all of this at once, because other stages wait for it. An old binary is examined while the
// compiler runs, with as little work as possible.
func (o *Outputs) examine(p *plan.Plan, program artifact.Program, path string, old bool) (*Binary, error) {
	f, info, err := o.openFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	b := &Binary{
		Program: program, Path: path, Size: info.Size(), Old: old,
		file: f, ends: o.ends, info: info, verify: old || o.HashAll,
	}
	b.hash, b.digests = sync.OnceValue(b.calculateHash), sync.OnceValues(b.calculateDigests)
	if b.Build, err = Prove(f, p, program); err != nil {
		return nil, err
	}
	if program.Image.Cgo && program.Platform.OS == "linux" {
		if b.ELF, err = layerfs.ReadELF(f); err != nil {
			return nil, fmt.Errorf("read the binary of %s: %w", program, err)
		}
	}
	scan := func() (needs.Report, error) { return needs.Scan(f, b.Size) }
	if program.ArchiveOnly { // it runs on a system that we do not build
		scan = func() (needs.Report, error) { return needs.Report{}, nil }
	}
	switch {
	case !old: // a new binary gets a new SBOM, which needs all digests
		b.hash = func() error {
			_, err := b.digests()
			return err
		}
		o.background.Go(func() {
			if sum, err := b.SHA256(); err == nil { // the callers of SHA256 get the error
				o.linked().Note(path, sum)
			}
		})
		b.Report, err = scan()
	case program.ArchiveOnly:
		err = b.hash()
	default:
		if err = b.hash(); err == nil {
			b.Report, err = cache.JSON(o.cache, o.version+"needs-"+b.sum, scan)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find what %s needs: %w", program, err)
	}
	return b, nil
}

func (b *Binary) calculateHash() error {
	h := sha256.New()
	if _, err := io.Copy(h, b.content()); err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	b.sum = hex.EncodeToString(h.Sum(nil))
	return nil
}

// calculateDigests reads the binary once. It sets sum only for a new binary: that of an old one is
// set, and others read it. The documents that have the digests are cached under sum.
func (b *Binary) calculateDigests() (filesum.Digests, error) {
	d, _, err := filesum.ReadDigests(b.content())
	if err != nil {
		return d, fmt.Errorf("read the binary: %w", err)
	}
	if !b.Old {
		b.sum = d.SHA256
	} else if d.SHA256 != b.sum {
		return d, fmt.Errorf("read the binary of %s: %w", b.Program, filesum.ErrChanged)
	}
	return d, nil
}
