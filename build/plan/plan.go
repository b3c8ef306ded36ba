// Package plan holds the two values that everything else in thimble is written
// in terms of: Config, what a repository asks for, and Plan, what that comes to.
//
// A Plan pins everything that can vary between two builds: the source revision,
// the toolchain and its settings, the flags, the platforms, the content of the
// base. Every stage after resolve is a pure function of the source tree and the
// plan, so the same plan gives the same digests on any machine, in any folder.
//
// The package holds types and their JSON only; it reads nothing and imports
// nothing else of thimble.
package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Plan is a resolved Config. Its JSON is stable: fields in the order declared
// here, lists in the order that resolve gives them (sorted, unless the order
// has a meaning), no absolute path and no time but the epoch.
type Plan struct {
	Kit    Kit    `json:"kit"`
	Module Module `json:"module"`

	// Version is the tag at HEAD as it was written, else the pseudo-version of the commit,
	// else "unknown". "+dirty" is added where the tree is dirty. ModuleVersion is what the
	// go command stamped into the binary as the version of the main module; it is read from
	// the binary, and empty until one is compiled.
	Version       string `json:"version"`
	ModuleVersion string `json:"moduleVersion"`

	// Revision is the commit's full hash; empty where there is no git.
	Revision string `json:"revision"`
	// Dirty says that something which is compiled, embedded or copied is not as the
	// revision has it, or that the go command stamped so. DirtyFile is the first such file,
	// relative to the repository's root; "../" begins one outside of it. DirtyCause says what
	// is wrong with it; empty where only git says that it changed.
	Dirty      bool   `json:"dirty"`
	DirtyFile  string `json:"dirtyFile,omitempty"`
	DirtyCause string `json:"dirtyCause,omitempty"`
	// Generated are the files that Config.Before made and that no commit has, as far as they
	// are compiled, embedded or copied.
	Generated []GeneratedFile `json:"generated,omitempty"`
	// Shallow says that history is missing, so that the version may differ from
	// a full clone's.
	Shallow bool `json:"shallow,omitempty"`

	// SourceDateEpoch is SOURCE_DATE_EPOCH, else the commit's time, else 0, in
	// seconds since 1970 UTC.
	SourceDateEpoch int64 `json:"sourceDateEpoch"`
	// Source is the repository's URL without credentials; empty if unknown.
	Source string `json:"source,omitempty"`
	// Workdir is the working directory relative to the repository's root, with slashes;
	// empty where it is the root itself.
	Workdir string `json:"workdir,omitempty"`

	Toolchain Toolchain  `json:"toolchain"`
	Build     Build      `json:"build"`
	Platforms []Platform `json:"platforms"`
	// ArchivePlatforms are those that a release compiles for besides, for its
	// archives alone.
	ArchivePlatforms []Platform `json:"archivePlatforms,omitempty"`
	// InputPlatforms are those whose sources count as the inputs of the images, with
	// Config.StableDigests; nil without.
	InputPlatforms []Platform `json:"inputPlatforms,omitempty"`
	Images         []Image    `json:"images"`
	// Lock is the part of thimble.lock.json that the images' bases are made of; nil when
	// all of them are on scratch.
	Lock *Lock `json:"lock,omitempty"`
	// Compression of the layers: "gzip" or "zstd".
	Compression Compression `json:"compression"`
}

// Created is SourceDateEpoch as a time in UTC.
func (p *Plan) Created() time.Time { return time.Unix(p.SourceDateEpoch, 0).UTC() }

// StableDigests says that every image has an age of its own: see [Config].
func (p *Plan) StableDigests() bool { return len(p.InputPlatforms) > 0 }

// Of is the plan as an image, and what describes it, shows it: with the revision, the
// version and the date of the image's own inputs, where it has such.
func (p *Plan) Of(img Image) *Plan {
	if img.Inputs == nil {
		return p
	}
	own, in := *p, img.Inputs
	own.Revision, own.Version, own.SourceDateEpoch = in.Revision, in.Version, in.SourceDateEpoch
	own.Dirty, own.DirtyFile, own.DirtyCause = in.DirtyFile != "", in.DirtyFile, ""
	return &own
}

// Targets are all the platforms that are compiled for.
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

// GeneratedText says that the build contains generated files, and names the first of them;
// "" if it contains none.
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

// Kit is the thimble that made the plan.
type Kit struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Module is the service's main module.
type Module struct {
	Path string `json:"path"`
	// Dir is its folder relative to the working directory, with slashes.
	Dir string `json:"dir"`
}

// Toolchain is the Go toolchain and the settings that change what it writes.
type Toolchain struct {
	// Version as `go env GOVERSION` prints it, such as "go1.26.8".
	Version string `json:"version"`
	// Experiment is GOEXPERIMENT, FIPS140 is GOFIPS140.
	Experiment string `json:"goexperiment,omitempty"`
	FIPS140    string `json:"gofips140,omitempty"`
	// Mod is -mod: "readonly", "vendor" or "mod".
	Mod string `json:"mod"`
	// Work is the go.work file relative to the module's folder, with slashes;
	// empty when there is none or GOWORK=off.
	Work string `json:"gowork,omitempty"`
	// C are the C compilers of images with cgo, one for each platform, in the plan's order;
	// nil where no image has it.
	C []CCompiler `json:"c,omitempty"`
}

// CCompiler compiles C for one platform. What it writes changes with its version, which
// nobody but the system that it is installed on can pin.
type CCompiler struct {
	Platform Platform `json:"platform"`
	// Command is its name without a folder, with its arguments.
	Command string `json:"command"`
	// Target is what it compiles for (-dumpmachine), Version the first line of what it says
	// of itself (--version).
	Target  string `json:"target"`
	Version string `json:"version"`
}

// Build is how the binaries are compiled, beyond -trimpath.
type Build struct {
	Tags    []string `json:"tags,omitempty"`
	LDFlags []string `json:"ldflags"`
	// GCFlags are compiler flags with the packages that they are for, such as
	// "all=-N -l" of a debug image.
	GCFlags []string `json:"gcflags,omitempty"`
	// Stamp says that the go command writes the version control state into the
	// binary: the build info's vcs settings are then those of the revision.
	Stamp bool `json:"stamp"`
	// VCSModified is the vcs.modified that the go command stamped, read from the binary.
	// It can be false in a Dirty tree: git overlooks files that are ignored, and more.
	VCSModified bool `json:"vcsModified"`
	// VCSTime is the vcs.time that the go command stamps, in RFC 3339.
	VCSTime string `json:"vcsTime,omitempty"`
}

// Image is one image of the plan: one main package for every platform.
type Image struct {
	// Name is the image's and the binary's name, in lower case.
	Name string `json:"name"`
	// Package is the main package's import path.
	Package string `json:"package"`
	// Repository is where the image is pushed, such as "ghcr.io/acme/api";
	// empty when none is configured.
	Repository string `json:"repository,omitempty"`
	// Tags of the image, without the repository.
	Tags []string `json:"tags"`
	// Base as Config names it, "scratch" where it names none, and the Debian packages that
	// are added to it, sorted.
	Base     string   `json:"base"`
	Packages []string `json:"packages,omitempty"`
	// Cgo says that the program is compiled with cgo, and linked with what the base has.
	Cgo bool `json:"cgo,omitempty"`
	// Title and Licenses (an SPDX expression) describe the service itself.
	Title    string `json:"title"`
	Licenses string `json:"licenses,omitempty"`

	Runtime Runtime `json:"runtime"`
	// Include and Exclude are needs that Config forces and forbids.
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
	// CACertificates are PEM files, relative to the module's folder.
	CACertificates []string `json:"caCertificates,omitempty"`
	Assets         []Asset  `json:"assets,omitempty"`
	Users          []User   `json:"users,omitempty"`
	// Capabilities are file capabilities of the binary, as libcap writes them.
	Capabilities []string `json:"capabilities,omitempty"`
	// LicenseTexts says that the third-party licence texts are in the image.
	LicenseTexts bool `json:"licenseTexts"`

	// Inputs is the state of what the image is made of, with Config.StableDigests; nil
	// without.
	Inputs *Inputs `json:"inputs,omitempty"`
}

// Inputs is the state of the files of the repository that an image is made of.
type Inputs struct {
	// Revision is the last commit that touched one of them; empty if none did.
	Revision string `json:"revision"`
	// Version is the pseudo-version of that commit, which no tag changes; "unknown"
	// without it. "+dirty" is added where a file differs from the commit.
	Version string `json:"version"`
	// SourceDateEpoch is SOURCE_DATE_EPOCH, else the time of that commit, in seconds
	// since 1970 UTC.
	SourceDateEpoch int64 `json:"sourceDateEpoch"`
	// DirtyFile is the first file that differs from the commit.
	DirtyFile string `json:"dirtyFile,omitempty"`
}

// Untagged is the image without its tags where it outlives them: what is said of it must
// hold for every release that has it.
func (i Image) Untagged() Image {
	if i.Inputs != nil {
		i.Tags = nil
	}
	return i
}

// Reference is the image's name with its repository and its first tag, as a
// container engine shows it: "ghcr.io/acme/api:v1.2.3", or "api:v1.2.3".
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

// Compression of layers.
type Compression string

// The compressions that a layer can have.
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)
