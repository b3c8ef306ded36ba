package resolve

import (
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Input is everything that a plan depends on, besides the files of the tree.
type Input struct {
	Config plan.Config
	// Workdir is the absolute folder that Config.Dir is relative to.
	Workdir string
	// Dist is the absolute folder that is written to, which is no source.
	Dist string
	// Env is the user's environment.
	Env []string
	// ForModules are further variables, for fetching modules and toolchains only.
	ForModules []string
	Kit        plan.Kit
	// Platforms of this run, as "linux/arm/v7". None means linux on this
	// machine's architecture.
	Platforms []string
	// ArchivePlatforms are those for which a release has archives.
	ArchivePlatforms []string
	// Expanded says that Config.LDFlags are those of a plan: they name nothing that is
	// filled in.
	Expanded bool
	// Unlocked leaves the lock alone: the plan is about to be locked.
	Unlocked bool
}

// InputOf is what a session says of an Input: all but ArchivePlatforms, Expanded and Unlocked.
func InputOf(s *session.Session) Input {
	return Input{
		Config: s.Config, Workdir: s.Workdir, Dist: s.Dist, Env: s.Env, ForModules: s.ForModules(), Kit: session.Kit(), Platforms: s.Platforms,
	}
}
