package build

import (
	"context"
	"time"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// The types of a Config, under the names that a magefile uses.
type (
	Config      = plan.Config
	ImageConfig = plan.ImageConfig
	Asset       = plan.Asset
	User        = plan.User
	Runtime     = plan.Runtime
	Healthcheck = plan.Healthcheck
	TestConfig  = plan.TestConfig

	DebianConfig  = plan.DebianConfig
	BaseSignature = plan.BaseSignature

	ReleaseConfig   = plan.ReleaseConfig
	Keyless         = plan.Keyless
	TransparencyLog = plan.TransparencyLog
)

// Options is what one run is asked for, on top of the Config. The zero value
// works.
type Options struct {
	Config Config
	// Workdir is the repository's root; the current folder if empty.
	Workdir string
	// Env is the environment; this process's if nil. What looks like a secret in it is for
	// this run alone: no process that it starts sees that, but for what Config.ModuleEnv
	// and Config.Test.Env name.
	Env []string
	// Cache is the folder for what later runs can use again; thimble's folder
	// in os.UserCacheDir if empty.
	Cache string

	// Platforms to make, such as "linux/arm64". None means linux on this
	// machine's architecture, and "all" the release's set.
	Platforms []string
	// SkipTests leaves out what Config.Test asks for.
	SkipTests bool
	// Load hands the image to the container engine that answers.
	Load bool
	// Archive is a docker archive to write, with the image for one platform.
	Archive string

	// AllowDirty, AllowUntagged and AllowFailingTests switch off what stops a
	// release; the release's provenance says so.
	AllowDirty, AllowUntagged, AllowFailingTests bool
	// Password gives the password of the signing key when it has one. If nil, it is
	// COSIGN_PASSWORD of Env.
	Password func() ([]byte, error)
	// Offline lets nothing connect to any other machine, children included; what would
	// have been fetched is an error that names it. THIMBLE_OFFLINE sets it too.
	Offline bool
	// VerifyWithin is how long Verify, Rebuild and Sign read signatures of an image, or of a
	// base, and what they are about; zero is ten minutes. Then they give up. Layers of a
	// signed image may take longer.
	VerifyWithin time.Duration
	// Login tells whoever is at the terminal how to log in for a keyless signature;
	// nil where nobody is.
	Login func(message string)

	// Summary gives the text of Dist/summary.md for images that were made; nil for none.
	Summary func(*Result) ([]byte, error)

	// FromPlan says that Config is that of a plan (see [plan.Plan.Config]): nothing is filled
	// in in its LDFlags.
	FromPlan bool
	// Memory is how many bytes this process and its children may use together, 0 for any
	// number. If nil, it is the limit of the control group.
	Memory *int64

	// Progress is told what goes on; it may be nil.
	Progress Progress

	// reachRegistry changes how registries are reached, for tests; it may be nil.
	reachRegistry func(*distribution.Options)
	// cleanRoom is what tests change of a clean room.
	cleanRoom reproduce.Changes
}

// Progress is told what a run does. Its methods are called from several
// goroutines at once.
type Progress interface {
	// Start is called when a task begins. The function that it returns is
	// called once when the task has ended, with a word on the outcome.
	Start(task string) (end func(outcome string, err error))
	// Notice is something that the user should know and that stops nothing.
	Notice(text string)
}

// session fills in the defaults and applies the environment's settings.
func (o Options) session(ctx context.Context) (*session.Session, error) {
	return session.Open(ctx, session.Settings{
		Config: o.Config, Workdir: o.Workdir, Env: o.Env, Cache: o.Cache, Platforms: o.Platforms, Offline: o.Offline,
		Password: o.Password, Login: o.Login, Progress: o.Progress, Memory: o.Memory, Registries: o.reachRegistry,
	})
}

// forAllPlatforms are the options with the platforms of a release, where none are named.
func (o Options) forAllPlatforms() Options {
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"all"}
	}
	return o
}

// input is what the plan is resolved from.
func (r *run) input() resolve.Input {
	in := resolve.InputOf(r.Session)
	in.Expanded = r.asked.FromPlan
	if r.archives {
		in.ArchivePlatforms = r.Config.Release.ArchivePlatforms
	}
	return in
}
