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
	lists []packages // of the images without cgo, and with cgo
}

// packages are by import path. A main package is in only one list, because nothing imports it.
type packages map[string]*listed

// listed is a package in the output of `go list -json`.
type listed struct {
	ImportPath, Dir string
	Standard        bool
	Imports         []string
	ImportMap       map[string]string
	Module          *struct {
		Path, Version, Sum, Dir, GoMod string
		Replace                        *struct{ Path, Version, Sum string }
	}
	EmbedPatterns                                                                                         []string
	CgoCPPFLAGS, CgoCFLAGS, CgoCXXFLAGS, CgoFFLAGS, CgoLDFLAGS                                            []string
	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SwigFiles, SysoFiles, EmbedFiles []string
}

// files returns all compiled and embedded files, relative to Dir.
func (p *listed) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles, p.SwigFiles, p.SysoFiles, p.EmbedFiles)
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
			return fmt.Errorf("list the packages: %s: the name %q is not UTF-8; rename it", p.ImportPath, name)
		}
	}
	return nil
}

const listFields = "ImportPath,Dir,Standard,Imports,ImportMap,Module,GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SysoFiles,EmbedFiles,EmbedPatterns,CgoCPPFLAGS,CgoCFLAGS,CgoCXXFLAGS,CgoFFLAGS,CgoLDFLAGS"

// List lists every package that the tree's main packages link on a platform.
func List(ctx context.Context, t Tree, platform plan.Platform) (*Sources, error) {
	s := &Sources{tree: t}
	for _, cgo := range []bool{false, true} {
		var mains []string
		for _, img := range t.Images {
			if img.Cgo == cgo {
				mains = append(mains, img.Package)
			}
		}
		if len(mains) == 0 {
			continue
		}
		list, err := t.list(ctx, t.Go.Settings(platform, cgo), mains, "-json="+listFields)
		if err != nil {
			return nil, fmt.Errorf("list the packages of %s: %w", platform, err)
		}
		s.lists = append(s.lists, list)
	}
	return s, nil
}

// list lists main packages and all their imports, with these settings of the go command.
func (t Tree) list(ctx context.Context, settings, mains []string, flags ...string) (packages, error) {
	args := append([]string{"list", "-deps", "-buildvcs=false", "-mod=" + t.Mod}, flags...)
	if len(t.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(t.Tags, ","))
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
func (s *Sources) of(main string) packages {
	for _, list := range s.lists {
		if list[main] != nil {
			return list
		}
	}
	return nil
}

// sourceEndings are the endings of the files that the go command reads.
var sourceEndings = []string{
	".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90",
	".s", ".S", ".sx", ".swig", ".swigcxx",
}
