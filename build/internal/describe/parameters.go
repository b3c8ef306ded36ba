package describe

import (
	"path"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/plan"
)

// Overrides are the checks of a release that the user switched off.
type Overrides struct {
	DirtyTree      bool `json:"dirtyTree"`
	UntaggedCommit bool `json:"untaggedCommit"`
	FailingTests   bool `json:"failingTests"`
	SkippedTests   bool `json:"skippedTests"`
}

// externalParameters are the user's settings (SLSA v1 buildDefinition.externalParameters). They
// are a list of allowed fields: a field added to Config later is not written until it is added
// here.
type externalParameters struct {
	Source           string           `json:"source,omitempty"`
	Dir              string           `json:"dir"`
	Version          string           `json:"version,omitempty"`
	Repository       string           `json:"repository,omitempty"`
	Platforms        []string         `json:"platforms,omitempty"`
	ArchivePlatforms []string         `json:"archivePlatforms,omitempty"`
	Compression      plan.Compression `json:"compression,omitempty"`
	DebianSuite      string           `json:"debianSuite,omitempty"`
	BuildTags        []string         `json:"buildTags,omitempty"`
	LDFlags          []string         `json:"ldflags,omitempty"`
	Unstamped        bool             `json:"unstamped,omitempty"`
	StableDigests    bool             `json:"stableDigests,omitempty"`
	Defaults         *externalImage   `json:"defaults,omitempty"`
	Images           []externalImage  `json:"images,omitempty"`
	Test             externalTest     `json:"test"`
	Before           []string         `json:"before,omitempty"`
	Overrides        Overrides        `json:"overrides"`
}

type externalImage struct {
	Package          string         `json:"package,omitempty"`
	Name             string         `json:"name,omitempty"`
	Programs         []plan.Program `json:"programs,omitempty"`
	BuildTags        []string       `json:"buildTags,omitempty"`
	LDFlags          []string       `json:"ldflags,omitempty"`
	FIPS140          string         `json:"gofips140,omitempty"`
	Title            string         `json:"title,omitempty"`
	Licenses         string         `json:"licenses,omitempty"`
	Base             string         `json:"base,omitempty"`
	Packages         []string       `json:"packages,omitempty"`
	Cgo              plan.Cgo       `json:"cgo,omitempty"`
	Runtime          plan.Runtime   `json:"runtime"`
	Include          []string       `json:"include,omitempty"`
	Exclude          []string       `json:"exclude,omitempty"`
	CACertificates   []string       `json:"caCertificates,omitempty"`
	Assets           []plan.Asset   `json:"assets,omitempty"`
	Symlinks         []plan.Symlink `json:"symlinks,omitempty"`
	Users            []plan.User    `json:"users,omitempty"`
	Capabilities     []string       `json:"capabilities,omitempty"`
	OmitLicenseTexts bool           `json:"omitLicenseTexts,omitempty"`
}

type externalTest struct {
	Skip     bool     `json:"skip,omitempty"`
	Packages []string `json:"packages,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Race     bool     `json:"race,omitempty"`
}

func newExternalParameters(c plan.Config, source string, o Overrides) externalParameters {
	p := externalParameters{
		Source: source, Dir: path.Clean(filepath.ToSlash(c.Dir)),
		Version: c.Version, Repository: c.Repository,
		Platforms: slices.Sorted(slices.Values(c.Platforms)), Compression: c.Compression,
		ArchivePlatforms: slices.Sorted(slices.Values(c.Release.ArchivePlatforms)),
		DebianSuite:      c.Debian.Suite,
		BuildTags:        c.BuildTags, LDFlags: c.LDFlags, Unstamped: c.Unstamped,
		StableDigests: c.StableDigests,
		Test:          newExternalTest(c.Test), Overrides: o,
	}
	if d := newExternalImage(c.Defaults); !d.empty() {
		p.Defaults = &d
	}
	for _, i := range c.Images {
		p.Images = append(p.Images, newExternalImage(i))
	}
	for _, command := range c.Before {
		if len(command) > 0 { // arguments may contain secrets, and the path a home folder
			p.Before = append(p.Before, path.Base(filepath.ToSlash(command[0])))
		}
	}
	return p
}

func newExternalTest(c plan.TestConfig) externalTest {
	return externalTest{Skip: c.Skip, Packages: c.Packages, Tags: c.Tags, Race: c.Race}
}

func newExternalImage(c plan.ImageConfig) externalImage {
	return externalImage{
		Package: c.Package, Name: c.Name, Programs: c.Programs, BuildTags: c.BuildTags,
		LDFlags: c.LDFlags, FIPS140: c.FIPS140,
		Title: c.Title, Licenses: c.Licenses,
		Base: c.Base, Packages: c.Packages, Cgo: c.Cgo, Runtime: c.Runtime,
		Include: c.Include, Exclude: c.Exclude,
		CACertificates: c.CACertificates, Assets: c.Assets, Symlinks: c.Symlinks, Users: c.Users,
		Capabilities:     c.Capabilities,
		OmitLicenseTexts: c.OmitLicenseTexts,
	}
}

func (i externalImage) empty() bool {
	b, err := canonicalValue(i)
	return err == nil && string(b) == `{"runtime":{}}`
}

// internalParameters are the resulting values (SLSA v1 buildDefinition.internalParameters),
// enough for anybody to build the image again.
type internalParameters struct {
	Plan *plan.Plan `json:"plan"`
	// Image and Platforms are the part of the plan that the statement describes.
	Image     string   `json:"image"`
	Platforms []string `json:"platforms"`
}
