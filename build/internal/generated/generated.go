// Package generated runs the commands of Config.Before, and records the files that they make.
//
// Run lists the working tree, and runs the commands. Afterwards Split separates the uncommitted
// files that the commands made from the others. A Record remembers these files, by name and
// SHA-256: in a later run such a file counts as made again, and Remove removes it. A file that
// differs from its record was changed by something else, and is left alone.
package generated

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Standing are the files and folders of a working tree before the commands run, by absolute
// path. It is nil if no commands run.
type Standing map[string]bool

// Record are the files that the commands made, by absolute path, with their SHA-256.
type Record map[string]string

// List lists the files below root, except in .git and in skip, an absolute path. It omits files
// that are unchanged since the record made.
func List(ctx context.Context, root, skip string, made Record) (Standing, error) {
	standing := Standing{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || name == skip):
			return filepath.SkipDir
		}
		if sum, ok := made[name]; ok {
			if now, err := Sum(name); err == nil && now == sum {
				return nil
			}
		}
		standing[name] = true
		return context.Cause(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree before Config.Before runs: %w", err)
	}
	return standing, nil
}

// Made reports whether the commands made a file.
func (s Standing) Made(file string) bool { return s != nil && !s[file] }

// Split separates the files that the commands made from the other differences from the commit.
// It returns the rest, and the files that were made, in the forms of the plan and of the
// record. With a nil Standing all differences are in the rest.
func (s Standing) Split(differences []source.Difference) (
	rest []source.Difference, made []plan.GeneratedFile, record Record) {
	if s == nil {
		return differences, nil, nil
	}
	record = Record{}
	for _, d := range differences {
		if d.Kind != source.Untracked || d.Path == "" {
			rest = append(rest, d)
			continue
		}
		if !s.Made(d.Path) {
			if d.Reason == "" {
				d.Reason = "it existed before Config.Before ran; if Config.Before makes it, remove it and " +
					"run it again"
			}
			rest = append(rest, d)
			continue
		}
		sum, err := Sum(d.Path)
		if err != nil {
			d.Reason = cmp.Or(d.Reason,
				"Config.Before made it, but only readable files and symlinks can be listed as generated, "+
					"not an empty folder")
			rest = append(rest, d)
			continue
		}
		record[d.Path] = sum
		made = append(made, plan.GeneratedFile{Name: d.File, SHA256: sum})
	}
	return rest, made, record
}

// Sum returns the SHA-256 of a file in hex; for a symlink, that of its text.
func Sum(file string) (string, error) {
	info, err := os.Lstat(file)
	if err != nil {
		return "", err
	}
	var content []byte
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		var text string
		text, err = os.Readlink(file)
		content = []byte(text)
	case 0:
		content, err = os.ReadFile(file)
	default:
		err = fmt.Errorf("%s is neither a file nor a symlink", file)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content)), err
}

// ReadRecord reads a record; it is empty if there is none or if it cannot be read.
func ReadRecord(file string) Record {
	var r Record
	content, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(content, &r) != nil {
		return Record{}
	}
	return r
}

// Write writes the record, plus the entries of before whose files still exist.
func (r Record) Write(file string, before Record) error {
	all := maps.Clone(r)
	for name, sum := range before {
		if _, ok := all[name]; ok {
			continue
		}
		if now, err := Sum(name); err == nil && now == sum {
			all[name] = sum
		}
	}
	content, err := json.Marshal(all)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(file, content, 0o644)
	}
	if err != nil {
		return fmt.Errorf("record what Config.Before made: %w", err)
	}
	return nil
}

// Remove removes the unchanged files of the record that are below root without a symlink in the
// path, except those in keep. It returns the removed files.
func (r Record) Remove(root string, keep map[string]bool) ([]string, error) {
	var removed []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		rel, err := filepath.Rel(root, name)
		if err != nil || !filepath.IsLocal(rel) || keep[name] {
			continue
		}
		if folder, err := filepath.EvalSymlinks(filepath.Dir(name)); err != nil ||
			folder != filepath.Dir(name) {
			continue
		}
		if now, err := Sum(name); err != nil || now != r[name] {
			continue
		}
		if err := os.Remove(name); err != nil {
			return removed, fmt.Errorf("remove what an earlier Config.Before made: %w", err)
		}
		removed = append(removed, name)
	}
	return removed, nil
}
