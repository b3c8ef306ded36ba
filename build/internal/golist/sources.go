package golist

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

// Sources lists what the go command would compile for one platform.
type Sources struct {
	tree  Tree
	lists map[Main]packages // by the settings of their main packages
}

// packages are by import path.
type packages map[string]*listed

// listed is a package in the output of `go list -json`.
type listed struct {
	ImportPath, Name, Dir string
	Standard              bool
	Imports               []string
	ImportMap             map[string]string
	Module                *struct {
		Path, Version, Sum, Dir, GoMod string
		Replace                        *struct{ Path, Version, Sum string }
	}
	EmbedPatterns []string
	CgoCPPFLAGS, CgoCFLAGS, CgoCXXFLAGS, CgoFFLAGS,
	CgoLDFLAGS []string
	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SwigFiles,
	SysoFiles, EmbedFiles []string
	// IgnoredGoFiles are excluded by build constraints.
	IgnoredGoFiles []string
}

// files returns all compiled and embedded files, relative to Dir.
func (p *listed) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles,
		p.SwigFiles, p.SysoFiles, p.EmbedFiles)
}

// includes reports whether a compiler other than Go's reads the package, or a linker reads an object.
func (p *listed) includes() bool {
	return len(p.CgoFiles)+len(p.CFiles)+len(p.CXXFiles)+len(p.MFiles)+len(p.HFiles)+len(p.FFiles)+len(p.SFiles)+
		len(p.SwigFiles)+len(p.SysoFiles) > 0
}

// fetched reports whether the package's module is in the module cache and has a hash in go.sum.
// A folder there that replaces a module counts as any other folder.
func (p *listed) fetched(modcache string) bool {
	if p.Module == nil || !strings.HasPrefix(p.Dir, modcache+string(filepath.Separator)) {
		return false
	}
	if p.Module.Replace != nil {
		return p.Module.Replace.Version != ""
	}
	return p.Module.Version != ""
}

// checkNames refuses names that JSON cannot represent: different files would get the same name.
func (p *listed) checkNames() error {
	for _, name := range append(p.files(), p.Dir) {
		if strings.ContainsRune(name, utf8.RuneError) {
			return fmt.Errorf("list the packages: %s: the name %q is not UTF-8; rename it", p.ImportPath,
				name)
		}
	}
	return nil
}

const listFields = "ImportPath,Dir,Standard,Imports,ImportMap,Module,GoFiles,IgnoredGoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SysoFiles,EmbedFiles,EmbedPatterns,CgoCPPFLAGS,CgoCFLAGS,CgoCXXFLAGS,CgoFFLAGS,CgoLDFLAGS"

// List lists every package that the tree's main packages link on a platform.
func List(ctx context.Context, t Tree, platform plan.Platform) (*Sources, error) {
	s := &Sources{tree: t, lists: map[Main]packages{}}
	mains := map[Main][]string{}
	for _, m := range t.Mains {
		mains[m.settings()] = append(mains[m.settings()], m.Package)
	}
	for settings, names := range mains {
		slices.Sort(names)
		env := t.Go.Settings(platform, plan.Image{Cgo: settings.Cgo, FIPS140: settings.FIPS140})
		list, err := t.list(ctx, env, settings.Tags, slices.Compact(names), "-json="+listFields)
		if err != nil {
			return nil, fmt.Errorf("list the packages of %s: %w", platform, err)
		}
		s.lists[settings] = list
	}
	return s, nil
}

// list lists main packages and all their imports, with these settings of the go command.
func (t Tree) list(ctx context.Context, settings []string, tags string, mains []string,
	flags ...string) (packages, error) {
	// With profiles, a package is listed again for each main package that has one.
	args := append([]string{"list", "-deps", "-buildvcs=false", "-pgo=off", "-mod=" + t.Mod}, flags...)
	if tags != "" {
		args = append(args, "-tags="+tags)
	}
	out, err := process.Output(ctx, t.Go.Command(settings, append(args, mains...)...))
	if err != nil {
		return nil, t.Go.Explain(err)
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

// of returns the list with a main package; empty if there is none.
func (s *Sources) of(main Main) packages { return s.lists[main.settings()] }

// sourceEndings are the endings of the files that the go command reads.
var sourceEndings = []string{
	".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90",
	".s", ".S", ".sx", ".swig", ".swigcxx",
}
