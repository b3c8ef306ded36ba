package compile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/plan"
)

// missingEmbed matches the go command's message about a //go:embed pattern without files.
var missingEmbed = regexp.MustCompile(`pattern .+: no matching files found`)

// explain adds to an error of the compiler what to do if files with cgo were left out, or if embedded
// files are missing.
func explain(ctx context.Context, err error, p *plan.Plan, tree golist.Tree,
	programs []artifact.Program) error {
	refused := new(Error)
	if !errors.As(err, &refused) {
		return err
	}
	if missingEmbed.MatchString(refused.Output) {
		return fmt.Errorf("%w\nif a command makes these files, list it in Config.Before", err)
	}
	for _, program := range programs {
		if program.Image.Cgo {
			continue
		}
		packages, listErr := golist.CgoPackages(ctx, tree, program.Platform,
			golist.MainOf(p, program.Image, program.Package))
		causes := cgoCauses(refused.Output, packages)
		if listErr != nil || len(causes) == 0 {
			continue
		}
		return fmt.Errorf("%w\n%s uses cgo, but image %s is compiled without it; "+
			"choose a base with a C library, such as distroless/base, and set Cgo to \"on\", or replace "+
			"that package, or exclude it with a build tag",
			err, strings.Join(causes, ", "), program.Image.Name)
	}
	return err
}

// LinkedModules returns the modules of a binary that were compiled from the module cache, given
// the plan's -mod. Modules in the repository and in vendor/ are part of the repository and left
// out.
func LinkedModules(info *debug.BuildInfo, mod string) (modules []modsum.Module) {
	if mod == "vendor" {
		return nil
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "" && m.Version != "(devel)" {
			modules = append(modules, modsum.Module{Path: m.Path, Version: m.Version, Sum: m.Sum})
		}
	}
	return modules
}
