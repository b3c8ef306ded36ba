package resolve

import "github.com/thimble-build/thimble/build/internal/session"

// InputOf is what a session says of an Input: all but ArchivePlatforms, Expanded and Unlocked.
func InputOf(s *session.Session) Input {
	return Input{
		Config: s.Config, Workdir: s.Workdir, Dist: s.Dist, Env: s.Env, ForModules: s.ForModules(), Kit: session.Kit(), Platforms: s.Platforms,
	}
}
