package resolve

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Input is everything that a plan depends on, except the files of the tree.
type Input struct {
	Config plan.Config
	// Workdir is the absolute folder that Config.Dir is relative to.
	Workdir string
	// Dist is the absolute path of the output folder, which is not source.
	Dist string
	// Env is the user's environment.
	Env []string
	// ForModules are additional variables, only for downloading modules and toolchains.
	ForModules []string
	Kit        plan.Kit
	// Platforms of this run, such as "linux/arm/v7". If empty, linux on this machine's
	// architecture.
	Platforms []string
	// Archives says that release archives are made, for ArchivePlatforms too.
	Archives         bool
	ArchivePlatforms []string
	// Expanded says that Config.LDFlags are those of a plan: they contain no templates.
	Expanded bool
	// Unlocked ignores the lock file: the plan is used to make it.
	Unlocked bool
	// Pin returns the lock's entry for a base image that Config names by its digest, and that the
	// lock file does not pin. If nil, the lock file must pin it.
	Pin func(ctx context.Context, ref string, platforms []plan.Platform) (plan.ImageLock, error)
}

// InputOf returns the Input of a session: all fields except Archives, ArchivePlatforms,
// Expanded, Unlocked and Pin.
func InputOf(s *session.Session) Input {
	return Input{
		Config: s.Config, Workdir: s.Workdir, Dist: s.Dist, Env: s.Env, ForModules: s.ForModules(),
		Kit: session.Kit(), Platforms: s.Platforms,
	}
}
