package resolve

import (
	"context"
	"fmt"
	"go/build"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/plan"
)

// Compiled is what the go command reads of working trees: all that is not of the toolchain
// or the module cache. Paths are absolute.
type Compiled struct {
	// Files are compiled in or embedded, or say which modules there are. Of some of them
	// there may be none.
	Files []string
	// Modules are the files among them that say which modules there are.
	Modules []string
	// Included are those among them that assembly includes.
	Included []string
	// Assembly are those of them that the go command's cache knows nothing of: what is not a
	// header in the package's own folder, by package.
	Assembly map[string][]string
	// Folders are those of the packages.
	Folders []Folder
	// Trees are the folders of modules with cgo, whose C may include any file in them, and
	// other folders of the repository that their #cgo lines name. CFolders are all of the
	// latter.
	Trees, CFolders []string
}

// Folder is that of a package. Patterns are those of //go:embed.
type Folder struct {
	Dir      string
	Patterns []string
}

// Compiled finds it.
func (r *Resolved) Compiled(s *Sources) (Compiled, error) {
	var c Compiled
	dirs := []string{r.Dir}
	mains := map[string]bool{}
	for _, img := range r.Plan.Images {
		mains[img.Package] = true
	}
	var assembly []*listed
	var lossy error
	s.each(func(p *listed) {
		if p.Standard || p.fetched(r.Go.Setting("GOMODCACHE")) {
			return
		}
		if err := p.checkNames(); err != nil {
			lossy = err
		}
		if len(p.SFiles) > 0 {
			assembly = append(assembly, p)
		}
		for _, f := range p.files() {
			c.Files = append(c.Files, filepath.Join(p.Dir, f))
		}
		if mains[p.ImportPath] { // which alone has a profile, and need not have one
			c.Files = append(c.Files, filepath.Join(p.Dir, "default.pgo"))
		}
		c.Folders = append(c.Folders, Folder{p.Dir, p.EmbedPatterns})
		if len(p.CgoFiles) > 0 {
			folders, files := r.cFolders(p)
			c.CFolders, c.Files = append(c.CFolders, folders...), append(c.Files, files...)
		}
		if p.Module != nil && p.Module.GoMod != "" {
			dirs = append(dirs, filepath.Dir(p.Module.GoMod))
			if len(p.CgoFiles) > 0 {
				c.Trees = append(c.Trees, p.Module.Dir)
			}
		} else if len(p.CgoFiles) > 0 {
			c.Trees = append(c.Trees, p.Dir)
		}
	})
	if lossy != nil {
		return c, lossy
	}
	for _, folder := range c.CFolders {
		if !slices.ContainsFunc(c.Trees, func(tree string) bool { return within(tree, folder) }) {
			c.Trees = append(c.Trees, folder)
		}
	}
	var err error
	c.Assembly = map[string][]string{}
	for _, p := range assembly {
		files, err := included(p.assembly())
		if err != nil {
			return c, err
		}
		c.Included = append(c.Included, files...)
		if unknown := slices.DeleteFunc(files, p.hasHeader); len(unknown) > 0 {
			c.Assembly[p.ImportPath] = unknown
		}
	}
	top := r.Dir // where vendor is
	if r.Go.Work != "" {
		top = filepath.Dir(r.Go.Work)
		used, err := workspace(r.Go.Work)
		if err != nil {
			return c, err
		}
		dirs = append(dirs, used...)
		c.Modules = append(c.Modules, r.Go.Work, r.Go.Work+".sum")
	}
	if r.Plan.Toolchain.Mod == "vendor" {
		c.Modules = append(c.Modules, filepath.Join(top, "vendor", "modules.txt"))
	}
	replaced, err := r.replaced()
	if err != nil {
		return c, err
	}
	for _, dir := range replaced { // whose requirements count, linked or not
		if _, ok := r.InRepository(dir); ok {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		c.Modules = append(c.Modules, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	}
	c.Files = slices.Concat(c.Files, c.Modules, c.Included)
	for _, list := range []*[]string{&c.Files, &c.Modules, &c.Included, &c.Trees, &c.CFolders} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	slices.SortFunc(c.Folders, func(a, b Folder) int { return strings.Compare(a.Dir, b.Dir) })
	c.Folders = slices.CompactFunc(c.Folders, func(a, b Folder) bool { return a.Dir == b.Dir && slices.Equal(a.Patterns, b.Patterns) })
	return c, nil
}

// replaced are the folders that replace modules, absolute: by go.work and the modules of the
// workspace, or by go.mod alone.
func (r *Resolved) replaced() ([]string, error) {
	dirs := []string{r.Dir}
	var all []string
	if r.Go.Work != "" {
		work, err := readWork(r.Go.Work)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, used(r.Go.Work, work)...)
		all = append(all, folders(filepath.Dir(r.Go.Work), work.Replace)...)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		file := filepath.Join(dir, "go.mod")
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the module: %w", err)
		}
		mod, err := modfile.ParseLax(file, b, nil)
		if err != nil {
			return nil, fmt.Errorf("read the module: %w", err)
		}
		all = append(all, folders(dir, mod.Replace)...)
	}
	return all, nil
}

// folders are those among replacements in a file of dir, absolute.
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

// Gone are the files that the commit has, that are not there, and that would be compiled
// or embedded otherwise.
func (c Compiled) Gone(ctx context.Context, commit *source.Commit, platform plan.Platform, tags []string) ([]string, error) {
	var gone []string
	named := build.Default
	named.GOOS, named.GOARCH, named.CgoEnabled, named.BuildTags = platform.OS, platform.Architecture, true, tags
	// What a file that is gone says of itself is not known. Its name alone decides.
	named.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("package p\n")), nil }
	for _, folder := range c.Folders {
		files, err := commit.Files(ctx, folder.Dir, len(folder.Patterns) > 0)
		if err != nil {
			return nil, err
		}
		top := folder.Dir
		if physical, err := filepath.EvalSymlinks(top); err == nil {
			top = physical
		}
		for _, file := range files {
			rel, err := filepath.Rel(top, file)
			if err != nil || !source.Gone(file) {
				continue
			}
			rel = filepath.ToSlash(rel)
			if embeds(folder.Patterns, rel) {
				gone = append(gone, file)
				continue
			}
			if strings.Contains(rel, "/") || strings.HasSuffix(rel, "_test.go") {
				continue
			}
			if is, err := named.MatchFile(filepath.Dir(file), rel); err == nil && is {
				gone = append(gone, file)
			}
		}
	}
	return gone, nil
}

// embeds says whether one of the patterns of //go:embed takes a file, or a folder that it
// is in; name is relative to the package's folder. Of a folder, hidden files are left out,
// unless "all:" begins the pattern.
func embeds(patterns []string, name string) bool {
	for _, pattern := range patterns {
		pattern, all := strings.CutPrefix(pattern, "all:")
		elements := strings.Split(name, "/")
		n := strings.Count(pattern, "/") + 1
		if pattern == "." {
			n = 0
		}
		if len(elements) < n {
			continue
		}
		if ok, err := path.Match(pattern, strings.Join(elements[:n], "/")); n > 0 && (err != nil || !ok) {
			continue
		}
		hidden := slices.ContainsFunc(elements[n:], func(e string) bool { return e[0] == '.' || e[0] == '_' })
		if all || !hidden {
			return true
		}
	}
	return false
}

// Below are all files in the trees of C, there or in the commit, except in .git and in the
// output folder; those in a folder of the repository that a symlink leads to as well, and
// those elsewhere that C files name.
func (r *Resolved) Below(ctx context.Context, c Compiled, commit *source.Commit) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	var below func(tree string) error
	below = func(tree string) error {
		return filepath.WalkDir(tree, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name == r.dist || d.Name() == ".git":
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case d.IsDir():
				return context.Cause(ctx)
			}
			files = append(files, name)
			if folder := r.linkedFolder(d, name); folder != "" && !seen[folder] {
				seen[folder] = true
				return below(name + string(filepath.Separator))
			}
			return context.Cause(ctx)
		})
	}
	for _, tree := range c.Trees {
		if commit != nil {
			tracked, err := commit.Files(ctx, tree, true)
			if err != nil {
				return nil, err
			}
			files = append(files, tracked...)
		}
		if err := below(tree); err != nil {
			return nil, fmt.Errorf("list what C may include: %w", err)
		}
	}
	outside, err := above(files, c.Trees, c.CFolders)
	return append(files, outside...), err
}

// linkedFolder is the folder of the repository that a symlink leads to, without symlinks in
// its path; "" if it leads to none.
func (r *Resolved) linkedFolder(d fs.DirEntry, name string) string {
	if d.Type() != fs.ModeSymlink || r.repo == nil {
		return ""
	}
	folder, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "" // it leads nowhere
	}
	root, err := filepath.EvalSymlinks(r.repo.Root)
	if err != nil {
		return ""
	}
	if rel, err := filepath.Rel(root, folder); err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "" // its name alone is compared
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return ""
	}
	return folder
}
