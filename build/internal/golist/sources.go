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

// Sources is what the go command would compile for one platform.
type Sources struct {
	tree  Tree
	lists []packages // of the images without cgo, and of those with it
}

// packages are by import path. A main package is in one list alone: nothing imports it.
type packages map[string]*listed

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

// each calls f for every package; one that is in both lists may have other files in each.
func (s *Sources) each(f func(*listed)) {
	for _, list := range s.lists {
		for _, p := range list {
			f(p)
		}
	}
}

// list lists main packages, and all that they import, with these settings of the go command.
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

// of is the list with a main package; empty if none has it.
func (s *Sources) of(main string) packages {
	for _, list := range s.lists {
		if list[main] != nil {
			return list
		}
	}
	return nil
}

// sourceEndings are those of the files that the go command looks into.
var sourceEndings = []string{
	".go", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90",
	".s", ".S", ".sx", ".swig", ".swigcxx",
}
