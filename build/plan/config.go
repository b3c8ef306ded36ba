package plan

import "time"

// Config is what a repository asks for. Its zero value works: every main
// package under cmd/ and at the module's root becomes an image on scratch.
type Config struct {
	// Dir is the folder of the service's module, relative to the working
	// directory; "." if empty.
	Dir string
	// Dist is the folder for everything that is made; "dist" if empty.
	Dist string

	// Repository is the prefix for pushed images: an image is
	// Repository/<name>. THIMBLE_REPOSITORY overrides it.
	Repository string
	// Platforms is the release's set, such as "linux/arm/v7"; linux/amd64 and
	// linux/arm64 if empty. THIMBLE_PLATFORMS overrides it.
	Platforms []string
	// Compression of the layers; gzip if empty. THIMBLE_COMPRESSION overrides it.
	Compression Compression

	// Version replaces the version found in git.
	Version string
	// Source replaces the repository URL found in git.
	Source string

	// Debian is where the packages of bases come from.
	Debian DebianConfig

	// BuildTags are Go build tags, LDFlags linker flags added to "-s -w", a word each. A
	// flag can name what follows from the commit, as in
	// "-X=main.version={{.Version}}": .Version (without its v), .Tag, .Commit,
	// .ShortCommit, .Date and .Timestamp (of SourceDateEpoch), .CommitDate,
	// .CommitTimestamp, .IsGitDirty.
	BuildTags []string
	LDFlags   []string
	// Unstamped asks for binaries without version control state.
	Unstamped bool
	// StableDigests keeps the digest of an image from commit to commit as long as nothing
	// of it changes, as several services of one repository want it: binaries are
	// unstamped, and date, revision and version of an image are those of the last commit
	// that touched its inputs. The commit of the build is in the provenance. It needs the
	// whole history.
	StableDigests bool
	// CC are the C compilers of images with Cgo by platform, such as
	// {"linux/arm64": "aarch64-linux-gnu-gcc"}, where those that are found will not do.
	// CC_FOR_linux_arm64 and the like override it.
	CC map[string]string

	// DebugSymbols keeps what "-s -w" leaves out of the binaries for linux, in
	// debug/.build-id of the output folder, where debuggers look by build id.
	DebugSymbols bool

	// Defaults applies to every image where the image itself says nothing.
	Defaults ImageConfig
	// Images names the main packages to make images of; if empty they are found.
	Images []ImageConfig

	Test    TestConfig
	Release ReleaseConfig
	// Before are commands to run in the module's folder before anything is
	// read, such as {"go", "generate", "./..."}. What they make and no commit has goes by
	// name and SHA-256 into the provenance. A release removes what an earlier run made
	// first, unless it was changed since.
	Before [][]string
	// RefuseGenerated refuses images that contain what Before makes and no commit has.
	RefuseGenerated bool
	// ModuleEnv names the secrets of the environment that the go command sees while it
	// fetches modules, such as "GITHUB_TOKEN" where a credential helper of git reads that;
	// "ARTIFACTS_*" names all that begin so. Compilers, tests and Before never see secrets.
	// THIMBLE_MODULE_ENV overrides it.
	ModuleEnv []string
}

// ImageConfig is what is asked of one image.
type ImageConfig struct {
	// Package is the main package's folder relative to the module's, such as
	// "./cmd/api". Name replaces the name that `go build` would give.
	Package string
	Name    string

	// Title and Licenses (an SPDX expression) replace what is found.
	Title    string
	Licenses string

	// Base is "scratch" (the default), one of the distroless bases ("distroless/static",
	// "distroless/base", "distroless/cc"), "debian", or an image: see BaseScratch and its
	// like. Everything but scratch is pinned by thimble.lock.json. THIMBLE_BASE overrides it.
	Base string
	// BaseSignature is who must have signed an image that is the base; nobody if nil.
	BaseSignature *BaseSignature
	// Packages are Debian packages to add, with what they depend on, where the base is
	// made of Debian's packages.
	Packages []string
	// Cgo compiles with cgo, for a base that has a C library, and what the program is
	// linked with. Without it, every program is static.
	Cgo bool

	// Runtime settings of the image's configuration.
	Runtime Runtime

	// Include and Exclude force and forbid needs, by their names.
	Include []string
	Exclude []string
	// CACertificates are PEM files to trust besides Mozilla's, relative to the
	// module's folder.
	CACertificates []string
	Assets         []Asset
	// Users are added to /etc/passwd and /etc/group of the base.
	Users []User
	// Capabilities are Linux file capabilities of the service's binary, such as
	// "cap_net_bind_service": whoever runs it has them, nonroot too.
	Capabilities []string
	// OmitLicenseTexts leaves the third-party licence texts out of the image.
	OmitLicenseTexts bool
}

// Asset is a file or folder of the source tree that is copied into the image.
type Asset struct {
	// Source is relative to the module's folder, Target absolute in the image.
	Source string `json:"source"`
	Target string `json:"target"`
	// Mode of files as chmod takes it, such as 0o640; 0 gives 0644, or 0755
	// where the source is executable. Folders get 0755, or Mode with an x
	// wherever it has an r.
	Mode uint32 `json:"mode,omitempty"`
	// UID and GID own everything that is copied.
	UID int `json:"uid,omitempty"`
	GID int `json:"gid,omitempty"`
	// Capabilities are Linux file capabilities of a program. Source is then a file.
	Capabilities []string `json:"capabilities,omitempty"`
}

// User is a user of an image, with the group of its own number unless GID names
// another.
type User struct {
	Name string `json:"name"`
	// UID is at least 1. GID is that of the primary group, which is added under the
	// user's name if the base has none of that number; UID if 0.
	UID int `json:"uid"`
	GID int `json:"gid,omitempty"`
	// Home is made, with mode 0750, unless an asset brings it; "/home/" and the name if
	// empty. "/nonexistent" is not made.
	Home string `json:"home,omitempty"`
	// Shell is "/sbin/nologin" if empty.
	Shell string `json:"shell,omitempty"`
}

// Runtime is what the image's configuration says of how to run it
// (OCI image-spec, config.md).
type Runtime struct {
	// User is "uid" or "uid:gid", where names of Users can stand for numbers;
	// 65532:65532 if empty. The image says it in numbers.
	User string `json:"user,omitempty"`
	// Args follow the entrypoint.
	Args []string `json:"args,omitempty"`
	// Env are NAME=value pairs besides PATH and SSL_CERT_FILE.
	Env []string `json:"env,omitempty"`
	// Ports are "8080", "8080/tcp" or "53/udp".
	Ports []string `json:"ports,omitempty"`
	// WorkingDir is absolute; "/" if empty.
	WorkingDir string `json:"workingDir,omitempty"`
	// StopSignal such as "SIGTERM".
	StopSignal string `json:"stopSignal,omitempty"`
	// Labels are added to the image's own.
	Labels      map[string]string `json:"labels,omitempty"`
	Healthcheck *Healthcheck      `json:"healthcheck,omitempty"`
}

// Healthcheck is a command that an engine runs in the container. It is a
// Docker extension of the image configuration; Kubernetes overlooks it.
type Healthcheck struct {
	// Command is run without a shell; an element that is not an absolute path
	// and comes first is an argument to the image's own binary.
	Command  []string      `json:"command"`
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Start    time.Duration `json:"startPeriod,omitempty"`
	Retries  int           `json:"retries,omitempty"`
}

// TestConfig is how the service's tests are run: in the user's own environment.
type TestConfig struct {
	// Skip leaves the tests out of image and release.
	Skip bool
	// Packages to test; "./..." if empty.
	Packages []string
	Tags     []string
	Race     bool
	// Args are further arguments of `go test`, such as "-count=1".
	Args []string
	// Privileged lets tests and commands of Before gain rights, such as by sudo or with
	// rootless Podman, also where there is a secret to sign with. They can then read the
	// environment of the processes above the kit: see SECURITY.md.
	Privileged bool
	// Env names variables that tests see although they look like secrets, such as
	// "DB_PASSWORD"; "DB_*" names all that begin so.
	Env []string
	// CoverProfile and JUnit are files to write, relative to the working
	// directory.
	CoverProfile string
	JUnit        string
}
