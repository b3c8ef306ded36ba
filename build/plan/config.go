package plan

import "time"

// Config says what a repository builds. Its zero value works: every main package under cmd/ and
// at the module's root becomes an image on scratch.
type Config struct {
	// Dir is the folder of the service's module, relative to the working directory; "." if
	// empty.
	Dir string
	// Dist is the output folder; "dist" if empty.
	Dist string

	// Repository is the prefix for pushed images: an image is pushed to Repository/<name>.
	// THIMBLE_REPOSITORY overrides it.
	Repository string
	// Platforms are the platforms of a release, such as "linux/arm/v7"; linux/amd64 and
	// linux/arm64 if empty. THIMBLE_PLATFORMS overrides it.
	Platforms []string
	// Compression of the layers; gzip if empty. THIMBLE_COMPRESSION overrides it.
	Compression Compression

	// Version replaces the version found in git.
	Version string
	// Source replaces the repository URL found in git.
	Source string

	// Debian says where the packages of bases come from.
	Debian DebianConfig

	// BuildTags are Go build tags. LDFlags are linker flags, one per element, added to "-s -w".
	// A flag can contain values of the commit, as in "-X=main.version={{.Version}}": .Version
	// (without the leading v), .Tag, .Commit, .ShortCommit, .Date and .Timestamp (of
	// SourceDateEpoch), .CommitDate, .CommitTimestamp, .IsGitDirty.
	BuildTags []string
	LDFlags   []string
	// Unstamped builds binaries without version control information.
	Unstamped bool
	// StableDigests keeps the digest of an image from commit to commit while its inputs do not
	// change. Use it for several services in one repository. Binaries are unstamped. The date,
	// revision and version of an image are those of the last commit that changed its inputs.
	// The provenance names the commit of the build. It requires the whole git history.
	StableDigests bool
	// CC are the C compilers for images with cgo, by platform, such as {"linux/arm64":
	// "aarch64-linux-gnu-gcc"}. They replace the compilers that thimble finds.
	// CC_FOR_linux_arm64 and similar variables override it.
	CC map[string]string

	// DebugSymbols writes the symbols that "-s -w" removes from linux binaries to
	// debug/.build-id in the output folder, where debuggers find them by build id.
	DebugSymbols bool

	// Defaults are the values for every field that an image does not set.
	Defaults ImageConfig
	// Images are the main packages to make images of; if empty, thimble finds them.
	Images []ImageConfig

	Test    TestConfig
	Release ReleaseConfig
	// Before are commands that run in the module's folder before thimble reads anything, such
	// as {"go", "generate", "./..."}. The provenance lists the files they make that are in no
	// commit, by name and SHA-256. A release first removes such files of an earlier run, unless
	// they were changed since.
	Before [][]string
	// RefuseGenerated refuses images that contain files which Before made and no commit has.
	RefuseGenerated bool
	// ModuleEnv names secret environment variables that the go command sees while it downloads
	// modules, for example "GITHUB_TOKEN" for a git credential helper. "ARTIFACTS_*" names all
	// that begin with ARTIFACTS_. Compilers, tests and Before never see secrets.
	// THIMBLE_MODULE_ENV overrides it.
	ModuleEnv []string
}

// ImageConfig configures one image.
type ImageConfig struct {
	// Package is the folder of the main package relative to the module, such as "./cmd/api".
	// Name replaces the name that `go build` would give. Defaults cannot set either.
	Package string
	Name    string
	// Programs are further main packages of the image: each becomes the binary /app/<name>. The
	// image has the needs of all programs, and its documents describe all of them. Package is
	// the image's entrypoint. Defaults cannot set Programs.
	Programs []Program

	// BuildTags and LDFlags are added to those of Config, for all programs of this image.
	BuildTags []string
	LDFlags   []string
	// FIPS140 is the version of the Go Cryptographic Module that is linked and that runs in FIPS
	// 140-3 mode: "v1.0.0", "latest", or another value of GOFIPS140. It replaces GOFIPS140 of the
	// environment, "off" too.
	FIPS140 string

	// Title and Licenses (an SPDX expression) replace the values that thimble finds.
	Title    string
	Licenses string

	// Base is "scratch" (the default), a distroless base ("distroless/static",
	// "distroless/base", "distroless/cc"), "debian", or an image: see BaseScratch.
	// thimble.lock.json pins every base except scratch and images by digest. THIMBLE_BASE
	// overrides it.
	Base string
	// BaseSignature says who must have signed the base image; no signature is required if nil.
	BaseSignature *BaseSignature
	// Packages are Debian packages to add, with their dependencies, to a base that is made of
	// Debian packages.
	Packages []string
	// Cgo is CgoOn or CgoOff. CgoOn compiles with cgo: the base must have a C library and the
	// libraries that the program is linked with. Otherwise every program is static, and Go leaves
	// out the files of packages that use cgo. If that concerns a package outside the standard
	// library, an image is made with a notice, and a release requires CgoOn or CgoOff.
	Cgo Cgo

	// Runtime holds the runtime settings of the image configuration.
	Runtime Runtime

	// Include and Exclude add and remove needs, by name.
	Include []string
	Exclude []string
	// CACertificates are PEM files with CAs to trust in addition to Mozilla's, relative to the
	// module's folder.
	CACertificates []string
	Assets         []Asset
	// Symlinks are further names for files in the image, such as a path that other software
	// expects the binary at.
	Symlinks []Symlink
	// Users are added to /etc/passwd and /etc/group of the base.
	Users []User
	// Capabilities are Linux file capabilities of the binary of Package, such as
	// "cap_net_bind_service". Every user who runs the binary gets them, also nonroot.
	Capabilities []string
	// OmitLicenseTexts leaves the licence texts of third parties out of the image.
	OmitLicenseTexts bool
}

// Cgo says whether an image is compiled with cgo. Empty means that nobody decided: as CgoOff, but
// see ImageConfig.Cgo.
type Cgo string

// The decisions about cgo.
const (
	CgoOn  Cgo = "on"
	CgoOff Cgo = "off"
)

// Program is a further main package of an image.
type Program struct {
	// Package is the folder of the main package relative to the module, such as
	// "./cmd/etcdctl". It can be in another module of the active go.work, as "../etcdctl". In a
	// Plan it is the import path.
	Package string `json:"package"`
	// Name is the file name in /app; if empty, the one that `go build` would give. All programs
	// of an image need different names.
	Name string `json:"name"`
	// Module is set in a Plan: the path of the program's module, if it is not the plan's module.
	Module string `json:"module,omitempty"`
}

// Symlink is a symbolic link in the image.
type Symlink struct {
	// Path is the absolute path of the link. Its folders are created. The link replaces a file
	// of the base; a file of the image at the same path is an error.
	Path string `json:"path"`
	// Target is the absolute path that the link leads to, such as "/app/podinfo".
	Target string `json:"target"`
}

// Asset is a file or folder of the source tree that is copied into the image, or an empty folder.
type Asset struct {
	// Source is relative to the module's folder. Target is an absolute path in the image. Without
	// a Source, Target is an empty folder with this mode and owner.
	//
	// Source can be a pattern of path.Match, such as "configs/*.yaml". Target is then a folder,
	// which gets every match under its last name; a matching folder is copied with its content.
	// A pattern that matches nothing is an error. Hidden files match only a pattern that begins
	// with a dot. A file whose name is equal to the pattern is taken literally.
	Source string `json:"source"`
	Target string `json:"target"`
	// Mode is the mode of files as for chmod, such as 0o640. 0 gives 0644, or 0755 if the
	// source is executable. Folders get 0755, or Mode plus x for everyone who has r.
	Mode uint32 `json:"mode,omitempty"`
	// UID and GID own everything that is copied.
	UID int `json:"uid,omitempty"`
	GID int `json:"gid,omitempty"`
	// Capabilities are Linux file capabilities of a program. Source must then be a file.
	Capabilities []string `json:"capabilities,omitempty"`
}

// User is a user of an image. Its group has the same number, unless GID names another.
type User struct {
	Name string `json:"name"`
	// UID is at least 1. GID is the primary group; UID if 0. If the base has no group with that
	// number, one is added under the user's name.
	UID int `json:"uid"`
	GID int `json:"gid,omitempty"`
	// Home is created with mode 0750, unless an asset creates it. If empty, it is "/home/" plus
	// the name. "/nonexistent" is not created.
	Home string `json:"home,omitempty"`
	// Shell is "/sbin/nologin" if empty.
	Shell string `json:"shell,omitempty"`
}

// Runtime is the part of the image configuration that says how to run the image (OCI
// image-spec, config.md).
type Runtime struct {
	// User is "uid" or "uid:gid"; names of Users can replace the numbers; 65532:65532 if empty.
	// The image contains the numbers.
	User string `json:"user,omitempty"`
	// Entrypoint is the program that runs, with its first arguments. The program is an absolute
	// path in the image: a symlink, a script among the assets, or a program of the base. If
	// empty, it is the image's binary, /app/<name>.
	Entrypoint []string `json:"entrypoint,omitempty"`
	// Args are the arguments after the entrypoint.
	Args []string `json:"args,omitempty"`
	// Env are NAME=value pairs in addition to PATH and SSL_CERT_FILE.
	Env []string `json:"env,omitempty"`
	// Ports are written as "8080", "8080/tcp" or "53/udp".
	Ports []string `json:"ports,omitempty"`
	// Volumes are absolute paths of folders with data that is kept. They are created, owned by
	// User, unless the assets contain them.
	Volumes []string `json:"volumes,omitempty"`
	// WorkingDir is an absolute path; "/" if empty.
	WorkingDir string `json:"workingDir,omitempty"`
	// StopSignal is a signal name, such as "SIGTERM".
	StopSignal string `json:"stopSignal,omitempty"`
	// Labels are added to the labels that thimble sets.
	Labels      map[string]string `json:"labels,omitempty"`
	Healthcheck *Healthcheck      `json:"healthcheck,omitempty"`
}

// Healthcheck is a command that an engine runs in the container. It is a Docker extension of
// the image configuration; Kubernetes ignores it.
type Healthcheck struct {
	// Command is run without a shell. If the first element is not an absolute path, all
	// elements are arguments of the image's binary.
	Command  []string      `json:"command"`
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Start    time.Duration `json:"startPeriod,omitempty"`
	Retries  int           `json:"retries,omitempty"`
}

// TestConfig says how the service's tests run. They run in the user's environment.
type TestConfig struct {
	// Skip leaves the tests out of image and release.
	Skip bool
	// Packages to test; "./..." if empty.
	Packages []string
	Tags     []string
	Race     bool
	// Args are additional arguments of `go test`, such as "-count=1".
	Args []string
	// Privileged lets tests and commands of Before gain privileges, for example with sudo or
	// rootless Podman, even when there is a signing secret. They can then read the environment
	// of thimble's parent processes: see SECURITY.md.
	Privileged bool
	// Env names variables that tests see although they look like secrets, such as
	// "DB_PASSWORD"; "DB_*" names all that begin with DB_.
	Env []string
	// CoverProfile and JUnit are files to write, relative to the working directory.
	CoverProfile string
	JUnit        string
}
