package golist

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// CState returns a hash of the names and contents of all files that C may include from the
// trees of the lists; "" if there is no tree.
func CState(ctx context.Context, t Tree, lists []Compiled) (string, error) {
	trees, _ := cFolders(lists)
	if len(trees) == 0 {
		return "", nil
	}
	files, err := Below(ctx, t, lists, nil)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, file := range files {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		rel, err := filepath.Rel(trees[0], file)
		if err != nil {
			return "", fmt.Errorf("find the files that C may include: %w", err)
		}
		fmt.Fprintf(h, "%q\n", filepath.ToSlash(rel))
		if err := hashInto(ctx, h, file); err != nil {
			return "", fmt.Errorf("find the files that C may include: %w", err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16]), nil
}

// AssemblyStates returns hashes of what Go's assembler includes, by package, for packages that
// include files which the go command's cache does not cover. dir is the module's folder. The
// hashes do not depend on its location.
func (c Compiled) AssemblyStates(ctx context.Context, dir string) (map[string]string, error) {
	states := map[string]string{}
	for pkg, files := range c.Assembly {
		h, found := sha256.New(), false
		for _, file := range slices.Sorted(slices.Values(files)) {
			if err := context.Cause(ctx); err != nil {
				return nil, err
			}
			if _, err := os.Stat(file); err != nil {
				continue // such as textflag.h, which is in GOROOT
			}
			rel, err := filepath.Rel(dir, file)
			if err == nil {
				fmt.Fprintf(h, "%q\n", filepath.ToSlash(rel))
				err = hashInto(ctx, h, file)
			}
			if err != nil {
				return nil, fmt.Errorf("find the files that assembly includes: %w", err)
			}
			found = true
		}
		if found {
			states[pkg] = fmt.Sprintf("%x", h.Sum(nil)[:16])
		}
	}
	return states, nil
}

// hashInto writes the content of a regular file, following symlinks, to w.
func hashInto(ctx context.Context, w io.Writer, file string) error {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		if err == nil || os.IsNotExist(err) {
			return nil // a folder, a broken symlink, or removed meanwhile
		}
		return err
	}
	f, err := os.Open(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, limit.Reader(ctx, f)); err != nil {
		return &fs.PathError{Op: "read", Path: file, Err: err}
	}
	_, err = w.Write(h.Sum(nil))
	return err
}
