package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

// planModule does not change a go.mod that has what the targets need. own are the Go files that
// init adds to magefiles/.
func planModule(ctx context.Context, r *repository, k *kitmodule.Kit,
	own map[string][]byte) (c changes, err error) {
	text, err := os.ReadFile(filepath.Join(r.root, "magefiles", "go.mod"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if err == nil {
		f, err := modfile.Parse("magefiles/go.mod", text, nil)
		if err != nil {
			return c, err
		}
		version, tool := "", false
		for _, r := range f.Require {
			if r.Mod.Path == kitmodule.Path {
				version = r.Mod.Version
			}
		}
		for _, t := range f.Tool {
			tool = tool || t.Path == kitmodule.MagePath
		}
		if version != "" && tool {
			if version != k.Version {
				c.notes = append(c.notes, fmt.Sprintf(
					"magefiles/go.mod has thimble %s, this is %s; to change it:\n\n%s", version,
					k.Version, goGet(r, k)))
			}
			sum, err := os.ReadFile(filepath.Join(r.root, "magefiles", "go.sum"))
			if err == nil {
				c.files = []file{{path: "magefiles/go.mod", text: text, was: text},
					{path: "magefiles/go.sum", text: sum, was: sum}}
				return c, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return c, err
			}
		}
	}
	magefiles := filepath.Join(r.root, "magefiles")
	if exists(magefiles) {
		if own, err = withFiles(own, magefiles); err != nil {
			return c, err
		}
	}
	m, err := k.Magefiles(ctx, kitmodule.Repository{Root: r.root, Module: r.module, Folder: r.folder()}, own)
	if err != nil {
		return c, err
	}
	gomod, err := wanted(r.root, "magefiles/go.mod", m.GoMod)
	if err != nil {
		return c, err
	}
	gosum, err := wanted(r.root, "magefiles/go.sum", m.GoSum)
	if err != nil {
		return c, err
	}
	c.files = []file{gomod, gosum}
	if gomod.differs() {
		c.missing = append(c.missing,
			"magefiles/go.mod lacks modules that the targets need; the go command adds them:\n\n"+goGet(r, k))
	}
	return c, nil
}

// goGet returns the commands that change an existing module of magefiles/.
func goGet(r *repository, k *kitmodule.Kit) string {
	at := r.here("magefiles")
	return fmt.Sprintf("    GOWORK=off go -C %s get -tool %s@%s\n    GOWORK=off go -C %s get %s@%s\n", at,
		kitmodule.MagePath, k.Mage, at, kitmodule.TargetsPath, k.Version)
}

// withFiles adds the Go files in a folder and its subfolders.
func withFiles(own map[string][]byte, dir string) (map[string][]byte, error) {
	all := maps.Clone(own)
	err := walk(dir, func(at, rel string) error {
		names, err := filepath.Glob(filepath.Join(at, "*.go"))
		if err != nil {
			return err
		}
		for _, name := range names {
			key := path.Join(rel, filepath.Base(name))
			if _, ours := all[key]; ours {
				continue
			}
			if all[key], err = os.ReadFile(name); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
