package golist

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Compiled is everything that the go command reads from working trees, that is, outside of the
// toolchain and the module cache. Paths are absolute.
type Compiled struct {
	// Files are compiled in, embedded, or define the modules. Some may not exist.
	Files []string
	// Modules are the files among them that define the modules.
	Modules []string
	// Profiles are those among them for profile-guided optimisation.
	Profiles []string
	// Included are the files among them that assembly includes.
	Included []string
	// Assembly are the included files that the go command's cache does not cover, by package:
	// all that are not headers in the package's folder.
	Assembly map[string][]string
	// Folders are the folders of the packages.
	Folders []Folder
	// Trees are folders whose files C may include: the folders of modules with cgo, and other
	// folders of the repository in their #cgo lines. CFolders are all folders in #cgo lines.
	Trees, CFolders []string
}

// Folder is the folder of a package. Patterns are its //go:embed patterns.
type Folder struct {
	Dir      string
	Patterns []string
}

// Compiled finds what is read for all main packages of the list. A package that is listed with
// and without cgo can have different files in each list.
func (s *Sources) Compiled(ctx context.Context) (Compiled, error) {
	var all []*listed
	for _, settings := range slices.SortedFunc(maps.Keys(s.lists),
		func(a, b Main) int { return strings.Compare(a.Key(), b.Key()) }) {
		for _, p := range s.lists[settings] {
			all = append(all, p)
		}
	}
	c, _, err := s.tree.compiled(ctx, all)
	return c, err
}

// compiled finds what is read for these packages. apart are the files that no package lists:
// included ones, profiles, those in #cgo lines, and those that define the modules.
func (t Tree) compiled(ctx context.Context, packages []*listed) (c Compiled, apart []string, err error) {
	dirs := []string{t.Dir}
	mains := map[string]bool{}
	for _, m := range t.Mains {
		mains[m.Package] = true
	}
	var assembly []*listed
	for _, p := range packages {
		if p.Standard || p.fetched(t.Go.Setting("GOMODCACHE")) {
			continue
		}
		if err := p.checkNames(); err != nil {
			return c, nil, err
		}
		if len(p.SFiles) > 0 {
			assembly = append(assembly, p)
		}
		for _, f := range p.files() {
			c.Files = append(c.Files, filepath.Join(p.Dir, f))
		}
		if mains[p.ImportPath] { // only a main package can have a profile
			c.Profiles = append(c.Profiles, filepath.Join(p.Dir, "default.pgo"))
		}
		c.Folders = append(c.Folders, Folder{p.Dir, p.EmbedPatterns})
		if len(p.CgoFiles) > 0 {
			folders, files := t.cFolders(p)
			c.CFolders, apart = append(c.CFolders, folders...), append(apart, files...)
		}
		if p.Module != nil && p.Module.GoMod != "" {
			dirs = append(dirs, filepath.Dir(p.Module.GoMod))
			if len(p.CgoFiles) > 0 {
				c.Trees = append(c.Trees, p.Module.Dir)
			}
		} else if len(p.CgoFiles) > 0 {
			c.Trees = append(c.Trees, p.Dir)
		}
	}
	for _, folder := range c.CFolders {
		if !slices.ContainsFunc(c.Trees, func(tree string) bool { return within(tree, folder) }) {
			c.Trees = append(c.Trees, folder)
		}
	}
	c.Assembly = map[string][]string{}
	for _, p := range assembly {
		files, err := included(ctx, p.assembly())
		if err != nil {
			return c, nil, err
		}
		c.Included = append(c.Included, files...)
		listed := c.Assembly[p.ImportPath] // with or without cgo
		for _, file := range slices.DeleteFunc(files, p.hasHeader) {
			if !slices.Contains(listed, file) {
				c.Assembly[p.ImportPath] = append(c.Assembly[p.ImportPath], file)
			}
		}
	}
	if c.Modules, err = t.moduleFiles(dirs); err != nil {
		return c, nil, err
	}
	apart = slices.Concat(apart, c.Profiles, c.Modules, c.Included)
	c.Files = append(c.Files, apart...)
	for _, list := range []*[]string{&apart, &c.Files, &c.Modules, &c.Profiles, &c.Included,
		&c.Trees, &c.CFolders} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	slices.SortFunc(c.Folders, func(a, b Folder) int { return strings.Compare(a.Dir, b.Dir) })
	c.Folders = slices.CompactFunc(c.Folders,
		func(a, b Folder) bool { return a.Dir == b.Dir && slices.Equal(a.Patterns, b.Patterns) })
	return c, apart, nil
}

// moduleFiles returns the files that define the modules in these folders, and those of the
// workspace, of vendoring and of modules that replace others.
func (t Tree) moduleFiles(dirs []string) ([]string, error) {
	var files []string
	top := t.Dir // the folder of vendor
	if t.Go.Work != "" {
		top = filepath.Dir(t.Go.Work)
		used, err := Workspace(t.Go.Work)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, used...)
		files = append(files, t.Go.Work, t.Go.Work+".sum")
	}
	if t.Mod == "vendor" {
		files = append(files, filepath.Join(top, "vendor", "modules.txt"))
	}
	replaced, err := t.replaced()
	if err != nil {
		return nil, err
	}
	for _, dir := range replaced { // their requirements count, linked or not
		if _, ok := t.InRepository(dir); ok {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		files = append(files, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	}
	return files, nil
}
