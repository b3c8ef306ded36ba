package reproduce

import (
	"path"
	"path/filepath"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Source is what a clean room builds, and where it comes from.
type Source struct {
	// From is a URL, or a folder; Commit is the full hash of what is built.
	From, Commit string
	// Origin is the URL of the clone's remote; From if empty.
	Origin string
	// Shallow asks for a clone without history.
	Shallow bool
	// Elsewhere says what the user can do when the source cannot be had.
	Elsewhere string
	// Workdir is the working directory relative to the repository's root, with slashes.
	Workdir string
	// Config is what is built, for the Platforms.
	Config    plan.Config
	Platforms []string
	// Plan is the plan of a stranger's provenance, from which Config was made: what it builds
	// is kept in a sandbox. It is nil for this repository.
	Plan *plan.Plan
	// AnySubmodules allows a stranger's submodules on other hosts than the source's.
	AnySubmodules bool
}

// stranger says whether somebody else says what is built.
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

// distName is the output folder's name below the repository's root.
func (s Source) distName() string {
	return path.Join(s.Workdir, filepath.ToSlash(s.Config.Dist))
}

// settings are the environment that the build needs beside Config, for a module's folder.
func (s Source) settings(in *session.Session, module string) []string {
	if s.stranger() {
		return s.Plan.Settings(module)
	}
	// SOURCE_DATE_EPOCH is asked of a build as Config is.
	if v, ok := in.LookupEnv("SOURCE_DATE_EPOCH"); ok {
		return []string{"SOURCE_DATE_EPOCH=" + v}
	}
	return nil
}
