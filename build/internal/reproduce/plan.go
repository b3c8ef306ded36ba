package reproduce

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	imports "golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/ldflags"
	"github.com/thimble-build/thimble/build/plan"
)

// A plan in provenance is untrusted text, even if it is signed. These checks cover everything
// in it that would reach the file system or the command line of a program.

// Patterns for the toolchain's settings, which reach the go command.
var (
	released   = regexp.MustCompile(`^go1\.[0-9]{1,4}(\.[0-9]{1,4})?((rc|beta)[0-9]{1,3})?$`)
	experiment = regexp.MustCompile(`^[a-z0-9]+(,[a-z0-9]+)*$`)
	fips140    = regexp.MustCompile(`^(latest|inprocess|certified|v[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z]+)?)$`)
	modes      = []string{"readonly", "vendor", "mod"}
)

// CheckPlan refuses a plan whose input would be more than the clone of its source. It also
// refuses a linker flag that does more than change the binary, unless allowed names it.
func CheckPlan(p *plan.Plan, allowed []string) error {
	t := p.Toolchain
	switch {
	case !released.MatchString(t.Version):
		return fmt.Errorf(
			"it was built with the toolchain %q, which was never released and cannot be downloaded",
			t.Version)
	case t.Experiment != "" && !experiment.MatchString(t.Experiment):
		return fmt.Errorf("its provenance has the GOEXPERIMENT %q, which is not a list of names",
			t.Experiment)
	case t.FIPS140 != "" && !fips140.MatchString(t.FIPS140):
		return fmt.Errorf("its provenance has the GOFIPS140 %q, which is not a version", t.FIPS140)
	case !slices.Contains(modes, t.Mod):
		return fmt.Errorf("its provenance has -mod=%q, which is not one of %s", t.Mod,
			strings.Join(modes, ", "))
	}
	if where, ok := hasNUL(reflect.ValueOf(p).Elem(), "plan"); ok {
		return fmt.Errorf("its provenance has a NUL byte in %s", where)
	}
	module := path.Join(p.Workdir, p.Module.Dir)
	folders := []string{p.Workdir, module}
	if t.Work != "" {
		folders = append(folders, path.Join(module, t.Work))
	}
	for _, i := range p.Images {
		if i.FIPS140 != "" && i.FIPS140 != "off" && !fips140.MatchString(i.FIPS140) {
			return fmt.Errorf("its provenance has the GOFIPS140 %q, which is not a version", i.FIPS140)
		}
		for _, program := range i.Programs {
			if err := imports.CheckImportPath(program.Package); err != nil {
				return fmt.Errorf("its provenance has a program that is not an import path: %w", err)
			}
		}
		for _, a := range i.Assets {
			folders = append(folders, below(module, a.Source))
		}
		for _, file := range i.CACertificates {
			folders = append(folders, below(module, file))
		}
		for _, kind := range []string{"oci:", "docker-archive:"} {
			if file, ok := strings.CutPrefix(i.Base, kind); ok {
				folders = append(folders, below(p.Workdir, file))
			}
		}
	}
	for _, rel := range folders {
		if rel != "" && !filepath.IsLocal(filepath.FromSlash(rel)) {
			return fmt.Errorf(
				"its provenance has the file or folder %q, which is not below the repository's root", rel)
		}
	}
	flags := [][]string{p.Build.LDFlags}
	for _, i := range p.Images {
		flags = append(flags, p.Build.Of(i).LDFlags)
	}
	for _, words := range flags {
		if err := ldflags.Check(words, allowed); err != nil {
			remedy := ""
			if refused := new(ldflags.Refused); errors.As(err, &refused) && !refused.Final {
				remedy = fmt.Sprintf("; -allowLinkerFlag='%s' allows it", refused.Word)
			}
			return fmt.Errorf("its provenance has a linker flag that a rebuild refuses: %w%s", err, remedy)
		}
	}
	return nil
}

// below returns a path in a folder; it does not change an absolute path.
func below(folder, name string) string {
	if name = filepath.ToSlash(name); path.IsAbs(name) || filepath.IsAbs(name) {
		return name
	}
	return path.Join(folder, name)
}

// hasNUL returns where a value contains a string with a NUL byte.
func hasNUL(v reflect.Value, where string) (string, bool) {
	switch v.Kind() {
	case reflect.String:
		return where, strings.ContainsRune(v.String(), 0)
	case reflect.Pointer:
		if !v.IsNil() {
			return hasNUL(v.Elem(), where)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if at, ok := hasNUL(v.Index(i), where); ok {
				return at, true
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			for _, x := range []reflect.Value{key, v.MapIndex(key)} {
				if at, ok := hasNUL(x, where); ok {
					return at, true
				}
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if at, ok := hasNUL(v.Field(i), where+"."+v.Type().Field(i).Name); ok {
				return at, true
			}
		}
	}
	return "", false
}
