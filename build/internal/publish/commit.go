package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Commit makes the staged files visible, with manifest as manifest.json, removes what the run
// did not make, and closes the folder. It checks the context once, before any change. An error
// after that leaves a folder without manifest.json, which the next run repairs.
func (d *Dist) Commit(ctx context.Context, manifest []byte) error {
	err := context.Cause(ctx)
	if err == nil && !d.current() {
		err = errors.New("somebody removed the folder during the run; run it again")
	}
	if err == nil {
		err = d.replace(manifest)
	}
	if err != nil {
		return fmt.Errorf("commit %s: %w", d.dir, err)
	}
	d.made, d.marked = nil, false // Close must not remove them
	return d.Close()
}

// replace makes the folder contain d.files and the manifest, if any, in the order described in
// the package comment.
func (d *Dist) replace(manifest []byte) error {
	stale, err := d.stale()
	if err != nil {
		return err
	}
	var changes []string
	for rel, staged := range d.files {
		if staged {
			changes = append(changes, rel)
		}
	}
	changed := len(changes)+len(stale) > 0
	if !changed && manifest != nil && d.holds(manifestName, manifest) {
		return nil
	}
	if manifest != nil { // now, before any change, because the disk may be full
		if err := d.putSynced(manifestName, manifest); err != nil {
			return err
		}
	}
	if changed || manifest == nil {
		if err := os.RemoveAll(d.path(manifestName)); err != nil {
			return err
		}
	}
	slices.SortFunc(changes, func(a, b string) int {
		if order := phase(a) - phase(b); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	for _, rel := range changes {
		if err := d.reveal(rel); err != nil {
			return err
		}
	}
	for _, rel := range stale {
		if err := os.Remove(d.path(rel)); err != nil {
			return err
		}
	}
	if manifest == nil {
		return nil
	}
	return d.reveal(manifestName)
}

// phase orders files so that a file comes before the files that refer to it.
func phase(rel string) int {
	switch {
	case isLayoutIndex(rel):
		return 2
	case strings.HasPrefix(rel, "oci/"):
		return 0
	}
	return 1
}

func isLayoutIndex(rel string) bool {
	return strings.HasPrefix(rel, "oci/") && path.Base(rel) == imagespec.ImageIndexFile
}

// stale lists the files in the managed folders that are not in d.files, in the order to remove
// them: a layout's index.json before its blobs, a folder after its content.
func (d *Dist) stale() ([]string, error) {
	parents := map[string]bool{}
	for rel := range d.files {
		for p := path.Dir(rel); p != "." && !parents[p]; p = path.Dir(p) {
			parents[p] = true
		}
	}
	var indexes, files, folders []string
	for _, top := range managed {
		err := filepath.WalkDir(d.path(top), func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == d.path(top) {
				return nil
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(d.dir, name)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			_, wanted := d.files[rel]
			switch {
			case wanted && entry.IsDir():
				return filepath.SkipDir // reveal handles it
			case wanted, parents[rel]:
			case entry.IsDir():
				folders = append(folders, rel)
			case isLayoutIndex(rel):
				indexes = append(indexes, rel)
			default:
				files = append(files, rel)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Reverse(folders)
	return slices.Concat(indexes, files, folders), nil
}
