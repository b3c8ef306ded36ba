package golist

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

// Workspace returns the absolute folders of a workspace's modules. Together these modules
// decide which versions are linked.
func Workspace(file string) ([]string, error) {
	work, err := readWork(file)
	if err != nil {
		return nil, err
	}
	return used(file, work), nil
}

func readWork(file string) (*modfile.WorkFile, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the workspace: %w", err)
	}
	work, err := modfile.ParseWork(file, b, nil)
	if err != nil {
		return nil, fmt.Errorf("read the workspace: %w", err)
	}
	return work, nil
}

func used(file string, work *modfile.WorkFile) (dirs []string) {
	for _, use := range work.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// replaced returns the absolute folders that replace modules: in go.work and the modules of the
// workspace, or only in go.mod.
func (t Tree) replaced() ([]string, error) {
	dirs := []string{t.Dir}
	var all []string
	if t.Go.Work != "" {
		work, err := readWork(t.Go.Work)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, used(t.Go.Work, work)...)
		all = append(all, folders(filepath.Dir(t.Go.Work), work.Replace)...)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		file := filepath.Join(dir, "go.mod")
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the module: %w", err)
		}
		// ParseLax would ignore replacements. Any version is valid here: the go command checks them.
		mod, err := modfile.Parse(file, b, func(_, version string) (string, error) { return version, nil })
		if err != nil {
			return nil, fmt.Errorf("read the module: %w", err)
		}
		all = append(all, folders(dir, mod.Replace)...)
	}
	return all, nil
}

// folders returns the absolute folders among replacements in a file of dir.
func folders(dir string, replacements []*modfile.Replace) (all []string) {
	for _, replace := range replacements {
		if folder := filepath.FromSlash(replace.New.Path); replace.New.Version == "" {
			if !filepath.IsAbs(folder) {
				folder = filepath.Join(dir, folder)
			}
			all = append(all, folder)
		}
	}
	return all
}
