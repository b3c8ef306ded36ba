package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

// options are the flags.
type options struct {
	dry  bool
	task bool
	json bool
	ci   string
}

// planned is what init will write, and for which repository.
type planned struct {
	repo *repository
	kit  *kitmodule.Kit
	// alias is the prefix of the targets' names, as in thimble:image.
	alias string
	changes
}

// plan computes every file.
func plan(ctx context.Context, o options, r *repository, k *kitmodule.Kit) (*planned, error) {
	there, err := readMagefiles(filepath.Join(r.root, "magefiles"))
	if err != nil {
		return nil, err
	}
	p := &planned{repo: r, kit: k, alias: chooseAlias(there, k.Targets)}
	if p.changes, err = planMagefiles(ctx, r, k, there, p.alias, o.ci != ""); err != nil {
		return nil, err
	}
	ignore, err := planIgnore(r.root)
	if err != nil {
		return nil, err
	}
	p.files = append(p.files, ignore)
	if o.task {
		task, err := planTaskfile(r.root, k, p.alias)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, task)
	}
	if o.ci != "" {
		ci, err := planCI(o.ci, r, k, p.alias)
		if err != nil {
			return nil, err
		}
		p.add(ci)
	}
	return p, checkClean(p.files, r.changed)
}

// checkClean refuses to write into magefiles/ while it has uncommitted changes, so that the
// changes of init can be distinguished from others. changed are the files with uncommitted
// changes.
func checkClean(files []file, changed []string) error {
	ours := map[string]bool{}
	writes := false
	for _, f := range files {
		if strings.HasPrefix(f.path, "magefiles/") {
			ours[f.path] = f.was != nil && !f.differs()
			writes = writes || f.writes()
		}
	}
	if !writes {
		return nil
	}
	for _, name := range changed {
		if strings.HasPrefix(name, "magefiles/") && !ours[name] {
			return fmt.Errorf(
				"%s differs from the commit; commit or stash the changes in magefiles/, then run init again",
				name)
		}
	}
	return nil
}
