package build

import (
	"context"
	"errors"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// The types of a Config, under the names that a magefile uses. Their fields are documented in
// package plan: "go doc github.com/thimble-build/thimble/build/plan.Config" shows them.
type (
	// Config says what the images are, and how they are built and released: see [plan.Config].
	Config = plan.Config
	// ImageConfig is one image, or the defaults of all: see [plan.ImageConfig].
	ImageConfig = plan.ImageConfig
	// Program is a further program of an image: see [plan.Program].
	Program = plan.Program
	// Symlink is a further name of a file in an image: see [plan.Symlink].
	Symlink = plan.Symlink
	// Asset is a file or a folder to copy into an image: see [plan.Asset].
	Asset = plan.Asset
	// User is an additional user of an image: see [plan.User].
	User = plan.User
	// Runtime is how an image runs, such as its arguments and ports: see [plan.Runtime].
	Runtime = plan.Runtime
	// Healthcheck is a command that an engine runs to check a service: see [plan.Healthcheck].
	Healthcheck = plan.Healthcheck
	// TestConfig says how tests run: see [plan.TestConfig].
	TestConfig = plan.TestConfig
	// DebianConfig says where Debian packages come from: see [plan.DebianConfig].
	DebianConfig = plan.DebianConfig
	// BaseSignature says who must have signed a base: see [plan.BaseSignature].
	BaseSignature = plan.BaseSignature
	// ReleaseConfig says how releases are signed and tagged: see [plan.ReleaseConfig].
	ReleaseConfig = plan.ReleaseConfig
	// Keyless signs with an identity instead of a key: see [plan.Keyless].
	Keyless = plan.Keyless
	// TransparencyLog is where signatures are recorded: see [plan.TransparencyLog].
	TransparencyLog = plan.TransparencyLog
)

// Options are the options that all verbs have, in addition to the Config. The zero value works.
type Options struct {
	Config Config
	// Workdir is the repository's root; the current folder if empty.
	Workdir string
	// Env is the environment; this process's if nil. Secrets in it are for this run only: child
	// processes see those that Config.ModuleEnv and Config.Test.Env name, and no others.
	Env []string
	// Cache is the folder for data that later runs reuse; thimble's in os.UserCacheDir if empty.
	Cache string

	// Platforms to build for, such as "linux/arm64". If empty, linux on this machine's
	// architecture; "all" is the platforms of a release.
	Platforms []string
	// Password returns the password of the signing key, if the key has one. If nil, it is
	// COSIGN_PASSWORD of Env.
	Password func() ([]byte, error)
	// Offline prevents connections to other machines, also from child processes. The error
	// names what would have been downloaded. THIMBLE_OFFLINE sets it too.
	Offline bool
	// VerifyWithin limits how long Verify, Rebuild and Sign read the signatures of an image or
	// a base, and the signed content; zero is ten minutes. Layers of a signed image may take
	// longer.
	VerifyWithin time.Duration
	// Login shows the user at the terminal how to log in for a keyless signature; nil if there
	// is no user.
	Login func(message string)

	// FromPlan says that Config is that of a plan (see [plan.Plan.Config]): templates in its
	// LDFlags are not expanded.
	FromPlan bool
	// Memory limits the bytes that this process and its children use together; 0 is no limit.
	// If nil, it is the limit of the control group.
	Memory *int64

	// Heap is called before work that needs a Go heap of this many bytes, more than usual. A
	// program that limits its heap raises the limit then. It may be nil.
	Heap func(bytes int64)

	// Progress receives what the run does; it may be nil.
	Progress Progress

	// reachRegistry changes how registries are reached, for tests; it may be nil.
	reachRegistry func(*distribution.Options)
	// cleanRoom are the changes that tests make to a clean room.
	cleanRoom reproduce.Changes
}

// BuildOptions are the options of Binaries.
type BuildOptions struct {
	Options
	// SkipTests does not run the tests of Config.Test.
	SkipTests bool
}

// ImageOptions are the options of Image.
type ImageOptions struct {
	Options
	// SkipTests does not run the tests of Config.Test.
	SkipTests bool
	// Load passes the image to the container engine that answers.
	Load bool
	// Archive is the path of a docker archive to write, with the image for one platform.
	Archive string
	// Summary returns the text of Dist/summary.md; nil for no file.
	Summary func(*Result) ([]byte, error)
}

// DebugOptions are the options of Debug.
type DebugOptions struct {
	Options
	// Toolbox makes an image with the symbols of a release, but without the service.
	Toolbox bool
	// Load, Archive and Summary are those of ImageOptions.
	Load    bool
	Archive string
	Summary func(*Result) ([]byte, error)
}

// PushOptions are the options of Push.
type PushOptions struct {
	Options
	// SkipTests does not run the tests of Config.Test.
	SkipTests bool
	// Summary returns the text of Dist/summary.md; nil for no file.
	Summary func(*Result) ([]byte, error)
}

// ReleaseOptions are the options of Release.
type ReleaseOptions struct {
	Options
	// SkipTests does not run the tests of Config.Test.
	SkipTests bool
	// AllowDirty, AllowUntagged and AllowFailingTests allow a release that would otherwise
	// stop; its provenance records this.
	AllowDirty, AllowUntagged, AllowFailingTests bool
	// Summary returns the text of Dist/summary.md; nil for no file.
	Summary func(*Result) ([]byte, error)
}

// Progress receives what a run does. Its methods are called from several goroutines at once.
type Progress interface {
	// Start is called when a task begins. The returned function is called once when the task
	// has ended, with a short description of the outcome.
	Start(task string) (end func(outcome string, err error))
	// Notice is called with information for the user that stops nothing.
	Notice(text string)
}

// session applies the defaults and the settings of the environment.
func (o Options) session(ctx context.Context) (*session.Session, error) {
	return session.Open(ctx, session.Settings{
		Config: o.Config, Workdir: o.Workdir, Env: o.Env, Cache: o.Cache, Platforms: o.Platforms,
		Offline: o.Offline, Password: o.Password, Login: o.Login, Progress: o.Progress,
		Memory: o.Memory, Heap: o.Heap, Registries: o.reachRegistry,
	})
}

// signingSession is session for a function that signs or verifies.
func (o Options) signingSession(ctx context.Context) (*session.Session, error) {
	s, err := o.session(ctx)
	return s, errors.Join(attest.Linked(), err)
}

// forAllPlatforms returns the options with the platforms of a release, if none are named.
func (o Options) forAllPlatforms() Options {
	if len(o.Platforms) == 0 {
		o.Platforms = []string{"all"}
	}
	return o
}
