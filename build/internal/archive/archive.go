// Package archive writes release archives, the checksums of released files, and the notes of a
// release. It takes files and commits and returns bytes that depend on nothing else: no user, no
// current time, no number of processors.
package archive

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// LicensesFile is the name of the entry with the licence texts of the modules in a binary.
const LicensesFile = "THIRD_PARTY_LICENSES"

// Entry is one regular file of an archive.
type Entry struct {
	// Name is relative to the archive's folder, with slashes.
	Name string
	// Executable sets mode 0755, otherwise it is 0644.
	Executable bool
	// Data is the content, unless Open opens one of Size bytes.
	Data []byte
	Size int64
	Open func() (io.ReadCloser, error)
}

// Input is the content of an archive.
type Input struct {
	// Folder contains all entries, so that unpacking the archive makes one folder.
	Folder  string
	Entries []Entry
	// Modified is the time of every entry, to the second.
	Modified time.Time
}

// Name returns the name of an archive for a platform, without its extension:
// "api_1.2.3_linux_arm_v7". A "v" before the version is left out.
func Name(image, version string, p plan.Platform) string {
	if len(version) > 1 && version[0] == 'v' && version[1] >= '0' && version[1] <= '9' {
		version = version[1:]
	}
	return image + "_" + version + "_" + p.Key()
}

// Extension returns the usual extension for a system: ".zip" for windows, otherwise ".tar.gz".
func Extension(os string) string {
	if os == "windows" {
		return ".zip"
	}
	return ".tar.gz"
}

// Write writes the archive with that extension.
func Write(ctx context.Context, w io.Writer, extension string, in Input) error {
	switch extension {
	case ".zip":
		return Zip(ctx, w, in)
	case ".tar.gz":
		return TarGz(ctx, w, in)
	}
	return fmt.Errorf("write archive %s: %q is neither .tar.gz nor .zip", in.Folder, extension)
}

// TarGz writes a gzip-compressed tar in the PAX format.
func TarGz(ctx context.Context, w io.Writer, in Input) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write archive %s: %w", in.Folder, err)
		}
	}()
	z, err := compress.NewWriter(w, plan.Gzip)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	err = each(ctx, in, func(e Entry, size int64) (io.Writer, error) {
		return t, t.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Format: tar.FormatPAX,
			Name: path.Join(in.Folder, e.Name), Mode: int64(mode(e)), Size: size,
			ModTime: in.Modified.UTC().Truncate(time.Second),
		})
	})
	if err == nil {
		err = t.Close()
	}
	return errors.Join(err, z.Close())
}

// each copies the entries in the order of their names; begin is called before each of them.
func each(ctx context.Context, in Input, begin func(e Entry, size int64) (io.Writer, error)) error {
	entries := slices.SortedFunc(slices.Values(in.Entries),
		func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	for i, e := range entries {
		if !fs.ValidPath(e.Name) || e.Name == "." {
			return fmt.Errorf("entry %q is not a path below the archive's folder", e.Name)
		}
		if i > 0 && entries[i-1].Name == e.Name {
			return fmt.Errorf("entry %s appears twice", e.Name)
		}
		if err := copyEntry(ctx, e, begin); err != nil {
			return err
		}
	}
	return nil
}

func copyEntry(ctx context.Context, e Entry, begin func(e Entry, size int64) (io.Writer, error)) error {
	var from io.Reader = bytes.NewReader(e.Data)
	size := int64(len(e.Data))
	if e.Open != nil {
		content, err := e.Open()
		if err != nil {
			return err
		}
		defer content.Close() // only read
		from, size = content, e.Size
	}
	w, err := begin(e, size)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, limit.Reader(ctx, from))
	if err == nil && n != size {
		err = fmt.Errorf("%s changed while it was read", e.Name)
	}
	return err
}

func mode(e Entry) fs.FileMode {
	if e.Executable {
		return 0o755
	}
	return 0o644
}
