package finding

import "github.com/thimble-build/thimble/build/plan"

// Program is a main package that becomes an image, with what was found about it.
type Program struct {
	// Module is the folder of the module, "" for the root. Package is the folder of the main
	// package relative to it, as ImageConfig has it: "./cmd/api", or ".".
	Module, Package string
	// From says why this program is shipped: the first line that builds or copies it.
	From Place
	// Doubt says why this may be no image of the program, such as "it starts rpmbuild".
	Doubt string
	// Name is the name of the binary or the image.
	Name Value[string]
	// Programs are further main packages in the same image, like Package.
	Programs []Value[string]

	Build   Build
	Runtime Runtime
}

// Build says how a program is compiled.
type Build struct {
	// LDFlags are linker flags, one per element, without -s and -w. Their templates are those
	// of Config.LDFlags.
	LDFlags []Value[string]
	Tags    []Value[string]
	// TagsWithCgo are the tags of WithCgo, which Merge takes out of Tags.
	TagsWithCgo []Value[string]
	// Env are variables of the go command, as NAME=value, except CGO_ENABLED, GOOS and GOARCH.
	Env []Value[string]
	// Cgo is CGO_ENABLED. Compiler says that a C compiler is installed for the build and that the
	// service has packages with cgo; it decides Cgo if no file does.
	Cgo, Compiler Value[bool]
	// Platforms are those of images and archives, as in plan.Platform.
	Platforms []Value[string]
	FIPS140   Value[string]
	// Before are commands that make files which the compiler or the image needs.
	Before []Value[[]string]
}

// Runtime is the image apart from its programs.
type Runtime struct {
	// Base is an ImageConfig.Base. Packages are Debian packages.
	Base     Value[string]
	Packages []Value[string]

	// Entrypoint is Runtime.Entrypoint, if another program than that of Package is started.
	Entrypoint  Value[[]string]
	Args        Value[[]string]
	User        Value[string]
	Env         []Value[string] // NAME=value
	Ports       []Value[string]
	WorkingDir  Value[string]
	StopSignal  Value[string]
	Labels      []Value[string] // name=value
	Healthcheck Value[plan.Healthcheck]
	Volumes     []Value[string]

	Assets []Value[plan.Asset]
	// Symlinks are further paths of programs that other lines name.
	Symlinks       []Value[plan.Symlink]
	Users          []Value[plan.User]
	Capabilities   []Value[string] // of the program
	CACertificates []Value[string]
	// Include are needs, such as "zoneinfo".
	Include []Value[string]
}

// WithCgo are build tags that change nothing in a program without cgo: they choose Go's resolver
// and Go's look-up of users.
var WithCgo = []string{"netgo", "osusergo"}
