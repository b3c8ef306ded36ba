package resolve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
)

// Sources is what the go command would compile for one platform.
type Sources struct {
	lists []packages // of the images without cgo, and of those with it
}

// packages are by import path. A main package is in one list alone: nothing imports it.
type packages map[string]*listed

// Module is a module with packages that one main package links.
type Module struct {
	// Path and Version as they are required; Version is empty for a module of
	// the working tree.
	Path, Version string
	// Sum is go.sum's hash of what is linked, "h1:…"; empty where there is none:
	// for modules of the working tree and vendored ones.
	Sum string
	// Dir is where the files are that are linked, a replacement's if there is one.
	Dir string
	// Packages are the folders of the linked packages relative to Dir, with
	// slashes, sorted.
	Packages []string
	// Imports are the modules that these packages import, sorted; "std" is the
	// standard library.
	Imports []string
}

// listed is a package as `go list -json` prints it.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	Imports         []string
	ImportMap       map[string]string
	Module          *struct {
		Path, Version, Sum, Dir, GoMod string
		Replace                        *struct{ Version, Sum string }
	}
	EmbedPatterns                                                                                         []string
	CgoCPPFLAGS, CgoCFLAGS, CgoCXXFLAGS, CgoFFLAGS, CgoLDFLAGS                                            []string
	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SwigFiles, SysoFiles, EmbedFiles []string
}

// files are all that is compiled and embedded, relative to Dir.
func (p *listed) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles, p.SwigFiles, p.SysoFiles, p.EmbedFiles)
}

// fetched says whether the package is of a module in the module cache, which go.sum has a hash
// of. A folder there that replaces a module is a folder as any other.
func (p *listed) fetched(modcache string) bool {
	if p.Module == nil || !strings.HasPrefix(p.Dir, modcache+string(filepath.Separator)) {
		return false
	}
	if p.Module.Replace != nil {
		return p.Module.Replace.Version != ""
	}
	return p.Module.Version != ""
}

// checkNames refuses names that JSON does not hold: a file could not be told from another.
func (p *listed) checkNames() error {
	for _, name := range append(p.files(), p.Dir) {
		if strings.ContainsRune(name, utf8.RuneError) {
			return fmt.Errorf("list the packages: %s: the name %q is not UTF-8; rename it", p.ImportPath, name)
		}
	}
	return nil
}

const listFields = "ImportPath,Dir,Standard,Imports,ImportMap,Module,GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SysoFiles,EmbedFiles,EmbedPatterns,CgoCPPFLAGS,CgoCFLAGS,CgoCXXFLAGS,CgoFFLAGS,CgoLDFLAGS"

// Sources lists every package that the plan's main packages link on a platform.
func (r *Resolved) Sources(ctx context.Context, platform plan.Platform) (*Sources, error) {
	s := &Sources{}
	for _, cgo := range []bool{false, true} {
		var mains []string
		for _, img := range r.Plan.Images {
			if img.Cgo == cgo {
				mains = append(mains, img.Package)
			}
		}
		if len(mains) == 0 {
			continue
		}
		args := []string{"list", "-deps", "-buildvcs=false", "-mod=" + r.Plan.Toolchain.Mod, "-json=" + listFields}
		if tags := r.Plan.Build.Tags; len(tags) > 0 {
			args = append(args, "-tags="+strings.Join(tags, ","))
		}
		list, err := r.list(ctx, r.Go.Settings(platform, cgo), append(args, mains...))
		if err != nil {
			return nil, fmt.Errorf("list the packages of %s: %w", platform, err)
		}
		s.lists = append(s.lists, list)
	}
	return s, nil
}

// each calls f for every package; one that is in both lists may have other files in each.
func (s *Sources) each(f func(*listed)) {
	for _, list := range s.lists {
		for _, p := range list {
			f(p)
		}
	}
}

func (r *Resolved) list(ctx context.Context, settings, args []string) (packages, error) {
	out, err := process.Output(ctx, r.Go.Command(settings, args...))
	if err != nil {
		return nil, r.Go.Explain(err)
	}
	packages := packages{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &listed{}
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		packages[p.ImportPath] = p
	}
}

// Modules returns the modules that a main package links, the main module among
// them, sorted by path.
func (s *Sources) Modules(main string) []Module {
	return s.of(main).modules(main)
}

// of is the list with a main package; empty if none has it.
func (s *Sources) of(main string) packages {
	for _, list := range s.lists {
		if list[main] != nil {
			return list
		}
	}
	return nil
}

func (s packages) modules(main string) []Module {
	byPath := map[string]*Module{}
	seen := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		p := s[path]
		if p == nil || seen[path] {
			return
		}
		seen[path] = true
		if p.Standard {
			return // its own imports are the standard library's business
		}
		m := &Module{} // of a package in no module, which cannot be described
		if p.Module != nil {
			if m = byPath[p.Module.Path]; m == nil {
				m = newModule(p)
				byPath[m.Path] = m
			}
			if rel, err := filepath.Rel(m.Dir, p.Dir); err == nil {
				m.Packages = append(m.Packages, filepath.ToSlash(rel))
			}
		}
		for _, imp := range p.Imports {
			if mapped, ok := p.ImportMap[imp]; ok {
				imp = mapped
			}
			visit(imp)
			if dep := s.moduleOf(imp); dep != "" && dep != m.Path {
				m.Imports = append(m.Imports, dep)
			}
		}
	}
	visit(main)
	modules := make([]Module, 0, len(byPath))
	for _, m := range byPath {
		slices.Sort(m.Packages)
		slices.Sort(m.Imports)
		m.Imports = slices.Compact(m.Imports)
		modules = append(modules, *m)
	}
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return modules
}

func newModule(p *listed) *Module {
	m := &Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum, Dir: p.Module.Dir}
	if r := p.Module.Replace; r != nil {
		m.Sum = r.Sum
	}
	if m.Dir == "" { // vendored: the packages lie below their import path
		m.Dir = strings.TrimSuffix(p.Dir, filepath.FromSlash(strings.TrimPrefix(p.ImportPath, p.Module.Path)))
	}
	return m
}

// moduleOf is the module of a package; "std" for the standard library.
func (s packages) moduleOf(path string) string {
	p := s[path]
	switch {
	case p == nil || p.Standard:
		return "std"
	case p.Module == nil:
		return ""
	}
	return p.Module.Path
}

// Cgo names the packages outside the standard library that are written with
// cgo, the reason why a build without it fails; sorted.
func (r *Resolved) Cgo(ctx context.Context, platform plan.Platform, pkg string) ([]string, error) {
	args := []string{"list", "-e", "-deps", "-buildvcs=false", "-mod=" + r.Plan.Toolchain.Mod, "-json=ImportPath,Standard,CgoFiles"}
	if tags := r.Plan.Build.Tags; len(tags) > 0 {
		args = append(args, "-tags="+strings.Join(tags, ","))
	}
	packages, err := r.list(ctx, append(platform.Env(), "CGO_ENABLED=1"), append(args, pkg))
	if err != nil {
		return nil, err
	}
	var names []string
	for path, p := range packages {
		if !p.Standard && len(p.CgoFiles) > 0 {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names, nil
}

// LicenseFolders are where the service's own licence can be: the module's root,
// then the repository's, as for a module in the module cache.
func (r *Resolved) LicenseFolders() []string {
	folders := []string{r.Dir}
	if r.repo != nil && r.repo.Root != r.Dir {
		folders = append(folders, r.repo.Root)
	}
	return folders
}
