package kube

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/session"
)

// file is a manifest.
type file struct {
	// name is as the user gave it, or below the folder that the user gave.
	name string
	data []byte
}

// read reads files, the manifests of folders in the order of their names, and standard input.
func read(s *session.Session, names []string, recursive bool, stdin io.Reader) ([]file, error) {
	if len(names) == 0 {
		return nil, errors.New(
			"resolve: there are no manifests; give them with -f=FOLDER, -f=FILE, or -f=- for standard input")
	}
	var all []file
	for _, name := range names {
		if name == "-" {
			data, err := io.ReadAll(stdin)
			if err != nil {
				return nil, fmt.Errorf("read standard input: %w", err)
			}
			all = append(all, file{"standard input", data})
			continue
		}
		info, err := os.Stat(s.Path(name))
		if err != nil {
			return nil, fmt.Errorf("read manifests: %w", err)
		}
		found := []string{name}
		if info.IsDir() {
			if found, err = manifests(s.Path(name), name, recursive); err != nil {
				return nil, fmt.Errorf("read manifests: %w", err)
			}
		}
		for _, f := range found {
			data, err := os.ReadFile(s.Path(f))
			if err != nil {
				return nil, fmt.Errorf("read manifests: %w", err)
			}
			all = append(all, file{f, data})
		}
	}
	return all, nil
}

// manifests returns the regular files of a folder that are YAML or JSON by their names, in the
// order of their names. shown is the folder as the user gave it.
func manifests(dir, shown string, recursive bool) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != dir && (!recursive || strings.HasPrefix(entry.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".yaml", ".yml", ".json":
		default:
			return nil
		}
		info, err := os.Stat(path) // a link may lead to a manifest
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			found = append(found, filepath.Join(shown, rel))
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s has no file whose name ends with .yaml, .yml or .json", shown)
		if !recursive {
			err = fmt.Errorf("%w; -recursive also looks into its folders", err)
		}
	}
	return found, err
}
