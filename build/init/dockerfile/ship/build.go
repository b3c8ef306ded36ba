package ship

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// compiled adds how the program is compiled.
func compiled(p *finding.Program, main int, states []*state.State) {
	for _, st := range states {
		if st.Stage.Role == syntax.Unused {
			continue
		}
		for _, b := range st.Builds {
			if b.Main == main {
				p.Build.LDFlags, p.Build.Tags, p.Build.Env, p.Build.FIPS140 = b.LDFlags, b.Tags,
					b.Env, b.FIPS140
				p.Build.Cgo, p.Build.Compiler = b.Cgo, b.Compiler
			}
		}
		if !p.Build.Cgo.Set() && st.Compiles {
			p.Build.Cgo = st.Cgo
		}
		if !p.Build.Compiler.Set() && st.Compiles {
			p.Build.Compiler = st.Compiler
		}
		for _, b := range st.Before {
			b.Value = atRoot(b.Value, p.Module)
			if !slices.ContainsFunc(p.Build.Before,
				func(o finding.Value[[]string]) bool { return slices.Equal(o.Value, b.Value) }) {
				p.Build.Before = append(p.Build.Before, b)
			}
		}
	}
}

// atRoot returns a command of Before, which runs in the module's folder, so that it runs at the
// root of the repository.
func atRoot(words []string, module string) []string {
	if module == "" || len(words) != 3 || words[0] != "sh" {
		return words
	}
	return []string{"sh", "-c", "cd " + strings.Repeat("../", strings.Count(module, "/")) +
		".. && " + words[2]}
}

// relative returns the folder of another main package relative to the module of main.
func relative(main, other finding.Main) string {
	if main.Module == other.Module {
		return other.Package
	}
	rel, err := filepath.Rel(path.Join("/", main.Module), path.Join("/", other.Folder()))
	if err != nil {
		return ""
	}
	return filepath.ToSlash(rel)
}
