// Package plan contains the two values that the rest of thimble uses: Config, what a repository
// asks for, and Plan, the resolved Config.
//
// A Plan pins everything that can differ between two builds: the source revision, the toolchain
// and its settings, the flags, the platforms, the content of the base. Every stage after
// resolve is a pure function of the source tree and the plan, so the same plan gives the same
// digests on any machine, in any folder.
//
// The package contains only types and their JSON. It reads nothing and imports no other package
// of thimble.
package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plan is a resolved Config. Its JSON is stable: fields are in the order declared here, lists
// in the order that resolve gives them (sorted, unless the order has a meaning). It contains no
// absolute path, and no time except the epoch.
type Plan struct {
	Kit    Kit    `json:"kit"`
	Module Module `json:"module"`

	// Version is the tag at HEAD as written, else that of git describe --tags --abbrev=12 for tags
	// that are versions, such as "v1.2.3-4-g0123456789ab", else the pseudo-version of the commit,
	// else "unknown". "+dirty" is added for a dirty tree. ModuleVersion is the version of the main
	// module that the go command stamped into the binary. It is read from the binary, and empty
	// until one is compiled.
	Version       string `json:"version"`
	ModuleVersion string `json:"moduleVersion"`

	// Revision is the full commit hash; empty without git.
	Revision string `json:"revision"`
	// Dirty says that a file which is compiled, embedded or copied differs from the revision,
	// or that the go command stamped the tree as modified. DirtyFile is the first such file,
	// relative to the repository's root; it begins with "../" if it is outside. DirtyCause says
	// what is wrong with it; empty if only git reported the change.
	Dirty      bool   `json:"dirty"`
	DirtyFile  string `json:"dirtyFile,omitempty"`
	DirtyCause string `json:"dirtyCause,omitempty"`
	// Generated are the files that Config.Before made, that are in no commit, and that are
	// compiled, embedded or copied.
	Generated []GeneratedFile `json:"generated,omitempty"`
	// Profiles are the default.pgo files beside the main packages, which the compiler uses for
	// profile-guided optimisation, sorted by name.
	Profiles []Profile `json:"profiles,omitempty"`
	// Shallow says that git history is missing. The version may differ from that of a full
	// clone.
	Shallow bool `json:"shallow,omitempty"`

	// SourceDateEpoch is SOURCE_DATE_EPOCH, else the commit's time, else 0, in seconds since
	// 1970 UTC.
	SourceDateEpoch int64 `json:"sourceDateEpoch"`
	// Source is the repository's URL without credentials; empty if unknown.
	Source string `json:"source,omitempty"`
	// Workdir is the working directory relative to the repository's root, with slashes; empty
	// for the root.
	Workdir string `json:"workdir,omitempty"`

	Toolchain Toolchain  `json:"toolchain"`
	Build     Build      `json:"build"`
	Platforms []Platform `json:"platforms"`
	// ArchivePlatforms are additional platforms that get only release archives, no images.
	ArchivePlatforms []Platform `json:"archivePlatforms,omitempty"`
	// InputPlatforms are the platforms whose sources count as inputs of the images with
	// Config.StableDigests; nil without it.
	InputPlatforms []Platform `json:"inputPlatforms,omitempty"`
	Images         []Image    `json:"images"`
	// Lock is the part of thimble.lock.json that the images' bases use; nil when all images are
	// on scratch.
	Lock *Lock `json:"lock,omitempty"`
	// Compression of the layers: "gzip" or "zstd".
	Compression Compression `json:"compression"`
}

// Created returns SourceDateEpoch as a time in UTC.
func (p *Plan) Created() time.Time { return time.Unix(p.SourceDateEpoch, 0).UTC() }

// StableDigests reports whether [Config].StableDigests was set: each image then has the date of
// its inputs.
func (p *Plan) StableDigests() bool { return len(p.InputPlatforms) > 0 }

// Of returns the plan with the revision, version and date of the image's inputs, if it has
// Inputs. These values are in the image and in the documents that describe it.
func (p *Plan) Of(img Image) *Plan {
	if img.Inputs == nil {
		return p
	}
	own, in := *p, img.Inputs
	own.Revision, own.Version, own.SourceDateEpoch = in.Revision, in.Version, in.SourceDateEpoch
	own.Dirty, own.DirtyFile, own.DirtyCause = in.DirtyFile != "", in.DirtyFile, ""
	return &own
}

// Targets returns all platforms to compile for.
func (p *Plan) Targets() []Platform { return slices.Concat(p.Platforms, p.ArchivePlatforms) }

// JSON returns the plan as indented JSON with a final newline.
func (p *Plan) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// GeneratedFile is a file that a command made before the build.
type GeneratedFile struct {
	// Name is relative to the repository's root, with slashes.
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// GeneratedText says that the build contains generated files, and names the first. It returns
// "" if there are none.
func (p *Plan) GeneratedText() string {
	const shown = 3
	if len(p.Generated) == 0 {
		return ""
	}
	var names []string
	for _, g := range p.Generated[:min(shown, len(p.Generated))] {
		names = append(names, g.Name)
	}
	text := "contains generated files: " + strings.Join(names, ", ")
	if more := len(p.Generated) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// Profile is a profile of the CPU time of a program (https://go.dev/doc/pgo).
type Profile struct {
	// Name is relative to the repository's root, or to the module's folder without git, with
	// slashes.
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Kit is the version of thimble that made the plan.
type Kit struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Module is the service's main module.
type Module struct {
	Path string `json:"path"`
	// Dir is the module's folder relative to the working directory, with slashes.
	Dir string `json:"dir"`
}

// Toolchain is the Go toolchain with the settings that change its output.
type Toolchain struct {
	// Version is the output of `go env GOVERSION`, such as "go1.26.8".
	Version string `json:"version"`
	// Experiment is GOEXPERIMENT, FIPS140 is GOFIPS140.
	Experiment string `json:"goexperiment,omitempty"`
	FIPS140    string `json:"gofips140,omitempty"`
	// Mod is -mod: "readonly", "vendor" or "mod".
	Mod string `json:"mod"`
	// Work is the go.work file relative to the module's folder, with slashes; empty when there
	// is none or GOWORK=off.
	Work string `json:"gowork,omitempty"`
	// C are the C compilers for images with cgo, one per platform, in the plan's order; nil if
	// no image uses cgo.
	C []CCompiler `json:"c,omitempty"`
}

// CCompiler is a C compiler for one platform. Its output changes with its version. Only the
// system that it is installed on can pin that version.
type CCompiler struct {
	Platform Platform `json:"platform"`
	// Command is the compiler's name without a folder, with its arguments.
	Command string `json:"command"`
	// Target is the output of -dumpmachine, Version the first line of the output of --version.
	Target  string `json:"target"`
	Version string `json:"version"`
}

// Build says how the binaries are compiled, in addition to -trimpath.
type Build struct {
	Tags    []string `json:"tags,omitempty"`
	LDFlags []string `json:"ldflags"`
	// GCFlags are compiler flags with the packages they apply to, such as "all=-N -l" for a
	// debug image.
	GCFlags []string `json:"gcflags,omitempty"`
	// Stamp says that the go command writes version control information into the binary: the
	// vcs settings in the build info are then those of the revision.
	Stamp bool `json:"stamp"`
	// VCSModified is the vcs.modified that the go command stamped, read from the binary. It can
	// be false for a Dirty tree, because git does not report ignored files, for example.
	VCSModified bool `json:"vcsModified"`
	// VCSTime is the vcs.time that the go command stamps, in RFC 3339.
	VCSTime string `json:"vcsTime,omitempty"`
}

// Of returns how the programs of an image are compiled: with the image's tags and linker flags too.
func (b Build) Of(img Image) Build {
	if len(img.BuildTags) > 0 {
		b.Tags = slices.Compact(slices.Sorted(slices.Values(slices.Concat(b.Tags, img.BuildTags))))
	}
	if len(img.LDFlags) > 0 {
		b.LDFlags = slices.Concat(b.LDFlags, img.LDFlags)
	}
	return b
}

// Of returns the toolchain for the programs of an image, with the image's FIPS140.
func (t Toolchain) Of(img Image) Toolchain {
	switch img.FIPS140 {
	case "":
	case "off":
		t.FIPS140 = ""
	default:
		t.FIPS140 = img.FIPS140
	}
	return t
}

// Image is one image of the plan: its programs for every platform.
type Image struct {
	// Name is the name of the image and of the binary that it runs, in lower case.
	Name string `json:"name"`
	// Package is the import path of that binary's main package.
	Package string `json:"package"`
	// Repository is where the image is pushed, such as "ghcr.io/acme/api"; empty if none is
	// configured.
	Repository string `json:"repository,omitempty"`
	// Tags of the image, without the repository.
	Tags []string `json:"tags"`
	// Base is the Base in Config, "scratch" if empty. Packages are the Debian packages added to
	// it, sorted.
	Base     string   `json:"base"`
	Packages []string `json:"packages,omitempty"`
	// Programs are the further programs of the image, sorted by name.
	Programs []Program `json:"programs,omitempty"`
	// BuildTags and LDFlags are added to those of Build, for all programs of the image.
	BuildTags []string `json:"buildTags,omitempty"`
	LDFlags   []string `json:"ldflags,omitempty"`
	// FIPS140 replaces that of Toolchain, if it is not empty.
	FIPS140 string `json:"gofips140,omitempty"`
	// Cgo says that the programs are compiled with cgo and linked with libraries of the base.
	Cgo bool `json:"cgo,omitempty"`
	// Title and Licenses (an SPDX expression) describe the service.
	Title    string `json:"title"`
	Licenses string `json:"licenses,omitempty"`

	Runtime Runtime `json:"runtime"`
	// Include and Exclude are the needs that Config adds and removes.
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// CACertificates are PEM files, relative to the module's folder.
	CACertificates []string  `json:"caCertificates,omitempty"`
	Assets         []Asset   `json:"assets,omitempty"`
	Symlinks       []Symlink `json:"symlinks,omitempty"`
	Users          []User    `json:"users,omitempty"`
	// Capabilities are file capabilities of the binary, in libcap's text format.
	Capabilities []string `json:"capabilities,omitempty"`
	// LicenseTexts says that the image contains the licence texts of third parties.
	LicenseTexts bool `json:"licenseTexts"`

	// Inputs describes the files that the image is made of, with Config.StableDigests; nil
	// without it.
	Inputs *Inputs `json:"inputs,omitempty"`
}

// Inputs is the state of the repository files that an image is made of.
type Inputs struct {
	// Revision is the last commit that changed one of them; empty if there is none.
	Revision string `json:"revision"`
	// Version is the pseudo-version of that commit, regardless of tags; "unknown" without a
	// commit. "+dirty" is added if a file differs from the commit.
	Version string `json:"version"`
	// SourceDateEpoch is SOURCE_DATE_EPOCH, else the time of that commit, in seconds since 1970
	// UTC.
	SourceDateEpoch int64 `json:"sourceDateEpoch"`
	// DirtyFile is the first file that differs from the commit.
	DirtyFile string `json:"dirtyFile,omitempty"`
}

// Untagged returns the image without its tags if it has Inputs. Such an image can stay the same
// over several releases, so its documents must be true for each of them.
func (i Image) Untagged() Image {
	if i.Inputs != nil {
		i.Tags = nil
	}
	return i
}

// Reference returns the image's name with its repository and its first tag, as a container
// engine shows it: "ghcr.io/acme/api:v1.2.3", or "api:v1.2.3".
func (i Image) Reference() string {
	ref := i.Repository
	if ref == "" {
		ref = i.Name
	}
	if len(i.Tags) > 0 {
		ref += ":" + i.Tags[0]
	}
	return ref
}

// Compression is the compression of layers.
type Compression string

// The supported compressions.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)
