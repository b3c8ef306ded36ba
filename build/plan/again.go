package plan

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Config returns a Config that resolves to this plan in a clone of the source at the plan's
// revision, with [Plan.Settings] as the environment. It leaves out what a plan does not record:
// the commands of Before, how tests run, how releases are signed.
func (p *Plan) Config() Config {
	c := Config{
		Dir: p.Module.Dir, Source: p.Source, Compression: p.Compression,
		BuildTags: slices.Clone(p.Build.Tags), Unstamped: !p.Build.Stamp,
		StableDigests: p.StableDigests(),
	}
	platforms := p.Platforms
	if p.StableDigests() {
		platforms = p.InputPlatforms
	}
	for _, platform := range platforms {
		c.Platforms = append(c.Platforms, platform.String())
	}
	c.LDFlags = slices.Clone(p.Build.LDFlags)
	if len(c.LDFlags) >= 2 && c.LDFlags[0] == "-s" && c.LDFlags[1] == "-w" { // every plan has these two
		c.LDFlags = c.LDFlags[2:]
	}
	for _, i := range p.Images {
		if prefix, ok := strings.CutSuffix(i.Repository, "/"+i.Name); ok {
			c.Repository = prefix
		}
		cgo := CgoOff
		if i.Cgo {
			cgo = CgoOn
		}
		c.Images = append(c.Images, ImageConfig{
			Package: i.Package, Name: i.Name, Programs: slices.Clone(i.Programs), Title: i.Title,
			Licenses:  i.Licenses,
			BuildTags: slices.Clone(i.BuildTags), LDFlags: slices.Clone(i.LDFlags), FIPS140: i.FIPS140,
			Base: i.Base, Packages: slices.Clone(i.Packages), Cgo: cgo, Symlinks: slices.Clone(i.Symlinks),
			Runtime: i.Runtime, Include: slices.Clone(i.Include), Exclude: slices.Clone(i.Exclude),
			CACertificates: slices.Clone(i.CACertificates), Assets: slices.Clone(i.Assets),
			OmitLicenseTexts: !i.LicenseTexts,
			Users:            slices.Clone(i.Users), Capabilities: slices.Clone(i.Capabilities),
		})
	}
	if p.Lock != nil && len(p.Lock.Debian) > 0 {
		c.Debian.Suite = p.Lock.Debian[0].Suite
	}
	return c
}

// Settings returns the environment that goes with [Plan.Config]: the toolchain and its
// settings, the workspace, the epoch. dir is the absolute path of the module's folder.
func (p *Plan) Settings(dir string) []string {
	work := "off"
	if p.Toolchain.Work != "" {
		work = filepath.Join(dir, filepath.FromSlash(p.Toolchain.Work))
	}
	fips := "off"
	if p.Toolchain.FIPS140 != "" {
		fips = p.Toolchain.FIPS140
	}
	env := []string{
		"GOTOOLCHAIN=" + p.Toolchain.Version, "GOEXPERIMENT=" + p.Toolchain.Experiment, "GOFIPS140=" + fips,
		"GOFLAGS=-mod=" + p.Toolchain.Mod, "GOWORK=" + work,
	}
	// If an image has another date than the commit, no epoch was set for all images.
	if slices.ContainsFunc(p.Images, func(i Image) bool {
		return i.Inputs != nil &&
			i.Inputs.SourceDateEpoch != p.SourceDateEpoch
	}) {
		return env
	}
	return append(env, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", p.SourceDateEpoch))
}
