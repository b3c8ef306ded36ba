package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Copy stages the content of the open file src as rel, with the same mode. rel is a
// slash-separated path such as "bin/api/linux_amd64/api" below one of the folders archives,
// bin, debug, oci, sbom and verify. sum is the SHA-256 of the content in hex; an existing file
// with this sum is kept. The two files never share an inode. Staging the same path twice is an
// error.
func (d *Dist) Copy(ctx context.Context, rel string, src *os.File, sum string) error {
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.copy(ctx, rel, src, sum); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

func (d *Dist) copy(ctx context.Context, rel string, src *os.File, sum string) error {
	want, err := src.Stat()
	if err != nil {
		return err
	}
	if !want.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", src.Name())
	}
	have, there, err := d.inPlace(ctx, rel, sum)
	if err != nil || there && have.Mode() == want.Mode() && !os.SameFile(have, want) {
		return err
	}
	return d.fill(rel, want.Mode().Perm(), func(to *os.File) error {
		if err := d.copyFile(ctx, to, src, want, sum); err != nil {
			return err
		}
		return to.Chmod(want.Mode().Perm()) // regardless of the umask
	})
}

// copyFile copies content with this sum. The caller of the package must ensure that src does
// not change. If Sums.Always is set, the sum is computed again in the same read.
func (d *Dist) copyFile(ctx context.Context, to, src *os.File, info fs.FileInfo, sum string) error {
	if !d.sums.Always {
		// A separate descriptor has a separate offset, and the kernel copies between files.
		if from, err := os.Open(src.Name()); err == nil {
			defer from.Close() // only read
			if opened, err := from.Stat(); err == nil && os.SameFile(opened, info) {
				return copyChunks(ctx, to, from)
			}
		}
	}
	return copyVerified(ctx, to, io.NewSectionReader(src, 0, info.Size()), sum)
}

// Keep stages an existing rel, and reports whether it has this sum; see Copy.
func (d *Dist) Keep(ctx context.Context, rel, sum string) (bool, error) {
	_, there, err := d.inPlace(ctx, rel, sum)
	if err != nil || !there {
		return false, err
	}
	return true, d.claim(rel)
}

// inPlace checks whether rel exists with this sum.
func (d *Dist) inPlace(ctx context.Context, rel, sum string) (fs.FileInfo, bool, error) {
	have, err := os.Lstat(d.path(rel))
	if err != nil || !have.Mode().IsRegular() {
		return nil, false, nil
	}
	f, err := os.Open(d.path(rel))
	if err != nil {
		return nil, false, nil // it is replaced
	}
	defer f.Close() // only read
	got, err := d.sums.Of(ctx, f)
	return have, err == nil && got == sum, context.Cause(ctx)
}

// Examine hashes the large files of the folder that are new or changed since they were last
// hashed, so that Copy and Layout need not do so later.
func (d *Dist) Examine(ctx context.Context) error {
	if d.sums.Always {
		return nil // every file is hashed when it is used
	}
	for _, top := range []string{"bin", "debug", "oci"} {
		err := filepath.WalkDir(d.path(top), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return context.Cause(ctx) // the later use of the file returns the error
			}
			f, err := os.Open(name)
			if err != nil {
				return nil
			}
			defer f.Close() // only read
			_, _ = d.sums.Of(ctx, f)
			return context.Cause(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Write stages data as rel, under the rules of Copy.
func (d *Dist) Write(rel string, data []byte) error {
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.write(rel, data); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

// Create stages what write writes as rel, under the rules of Copy.
func (d *Dist) Create(ctx context.Context, rel string, write func(io.Writer) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := d.claim(rel); err != nil {
		return err
	}
	if err := d.fill(rel, 0o644, func(to *os.File) error { return write(to) }); err != nil {
		return fmt.Errorf("stage %s: %w", d.path(rel), err)
	}
	return nil
}

func (d *Dist) write(rel string, data []byte) error {
	if d.holds(rel, data) {
		return nil
	}
	return d.fill(rel, 0o644, func(to *os.File) error {
		_, err := to.Write(data)
		return err
	})
}

// putSynced is write for content that is always new, and syncs it to the disk.
func (d *Dist) putSynced(rel string, data []byte) error {
	return d.fill(rel, 0o644, func(to *os.File) error {
		if _, err := to.Write(data); err != nil {
			return err
		}
		return to.Sync()
	})
}

// holds reports whether rel is already in place with this content.
func (d *Dist) holds(rel string, data []byte) bool {
	have, err := os.Lstat(d.path(rel))
	if err != nil || !have.Mode().IsRegular() || have.Size() != int64(len(data)) {
		return false
	}
	found, err := os.ReadFile(d.path(rel))
	return err == nil && bytes.Equal(found, data)
}

// claim records that the run makes rel.
func (d *Dist) claim(rel string) error {
	top, rest, _ := strings.Cut(rel, "/")
	if !fs.ValidPath(rel) || (rest == "") != (rel == summaryName) || !slices.Contains(managed, top) {
		return fmt.Errorf("stage %q: not a path below one of %s", rel, strings.Join(managed, ", "))
	}
	if !d.add(rel) {
		return fmt.Errorf("stage %s: staged twice", rel)
	}
	return nil
}

// add records rel and reports whether it is new.
func (d *Dist) add(rel string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.files[rel]; there {
		return false
	}
	d.files[rel] = false
	return true
}

// stage records that rel is in the stage.
func (d *Dist) stage(rel string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[rel] = true
}

// fill creates rel in the stage.
func (d *Dist) fill(rel string, perm fs.FileMode, write func(*os.File) error) error {
	if !d.lock.Locked() {
		return errors.New("the folder is closed")
	}
	if err := os.MkdirAll(filepath.Dir(d.staged(rel)), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(d.staged(rel), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	d.stage(rel)
	return nil
}

// Folders returns where to read rel, a folder of a layout, before the Commit: the staged files,
// and those that stay in place.
func (d *Dist) Folders(rel string) []string { return []string{d.staged(rel), d.path(rel)} }
