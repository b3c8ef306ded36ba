package reproduce

import (
	"path"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Source says what a clean room builds, and where it comes from.
type Source struct {
	// From is a URL, or a folder; Commit is the full hash of the commit to build.
	From, Commit string
	// Origin is the URL of the clone's remote; From if empty.
	Origin string
	// Shallow requests a clone without history.
	Shallow bool
	// Elsewhere says what the user can do if the source cannot be fetched.
	Elsewhere string
	// Workdir is the working directory relative to the repository's root, with slashes.
	Workdir string
	// Config says what to build, for the Platforms.
	Config    plan.Config
	Platforms []string
	// Plan is the plan in provenance of foreign source, from which Config was made: the build
	// runs in a sandbox. It is nil for this repository.
	Plan *plan.Plan
	// AnySubmodules allows submodules of foreign source on hosts other than the source's.
	AnySubmodules bool
}

// stranger reports whether the source is foreign.
func (s Source) stranger() bool { return s.Plan != nil }

// workdir, module and dist are folders of a clone.
func (s Source) workdir(clone string) string {
	return filepath.Join(clone, filepath.FromSlash(s.Workdir))
}

func (s Source) module(clone string) string {
	return filepath.Join(s.workdir(clone), filepath.FromSlash(s.Config.Dir))
}

func (s Source) dist(clone string) string {
	return filepath.Join(s.workdir(clone), filepath.FromSlash(s.Config.Dist))
}

// distName returns the output folder's path below the repository's root.
func (s Source) distName() string {
	return path.Join(s.Workdir, filepath.ToSlash(s.Config.Dist))
}

// settings returns the environment that the build needs in addition to Config, for a module's
// folder.
func (s Source) settings(in *session.Session, module string) []string {
	if s.stranger() {
		return s.Plan.Settings(module)
	}
	// SOURCE_DATE_EPOCH is an input of a build, like Config.
	if v, ok := in.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		return []string{"SOURCE_DATE_EPOCH=" + v}
	}
	return nil
}
