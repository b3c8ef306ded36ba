package modsum

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// difference returns the file of a folder that differs from the module's zip file. If the zip
// file is missing, or does not match go.sum, it returns the file that was changed last.
func (f folder) difference(ctx context.Context, m Module, zipFile string) string {
	if sum, err := dirhash.HashZip(zipFile, dirhash.Hash1); err == nil && sum == m.Sum {
		if found, err := f.against(ctx, m, zipFile); err == nil && found != "" {
			return found
		}
	}
	last, at := "", int64(0)
	for _, x := range f.files {
		changed := x.info.ModTime().UnixNano()
		if state, ok := filesum.StateOf(x.info); ok {
			changed = state.Changed
		}
		if last == "" || changed > at {
			last, at = x.name, changed
		}
	}
	if last == "" {
		return "its folder is empty"
	}
	return fmt.Sprintf("one of its files differs; %s was changed last, at %s",
		filepath.Join(f.dir, filepath.FromSlash(last)), time.Unix(0, at).UTC().Format(time.RFC3339))
}

// against returns the first file that differs from that in the zip file, or that only one of the
// two has.
func (f folder) against(ctx context.Context, m Module, zipFile string) (string, error) {
	z, err := zip.OpenReader(zipFile)
	if err != nil {
		return "", err
	}
	defer z.Close() // only read
	prefix := m.Path + "@" + m.Version + "/"
	inZip := map[string]*zip.File{}
	for _, entry := range z.File {
		inZip[strings.TrimPrefix(entry.Name, prefix)] = entry
	}
	for _, x := range f.files {
		path := filepath.Join(f.dir, filepath.FromSlash(x.name))
		entry := inZip[x.name]
		if entry == nil {
			return path + " is not a file of the module", nil
		}
		delete(inZip, x.name)
		want, err := digest(ctx, entry.Open)
		if err != nil {
			return "", err
		}
		got, err := digest(ctx, func() (*os.File, error) { return os.Open(path) })
		if err != nil {
			return "", err
		}
		if !bytes.Equal(got, want) {
			return path + " was changed", nil
		}
	}
	var missing []string
	for name := range inZip {
		if !strings.HasSuffix(name, "/") {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	slices.Sort(missing)
	return filepath.Join(f.dir, filepath.FromSlash(missing[0])) + " is missing", nil
}

// digest opens something, reads all of it and closes it.
func digest[R io.ReadCloser](ctx context.Context, open func() (R, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = io.Copy(h, limit.Reader(ctx, r))
	return h.Sum(nil), errors.Join(err, r.Close())
}
