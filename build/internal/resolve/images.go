package resolve

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/thimble-build/thimble/build/internal/capability"
	"github.com/thimble-build/thimble/build/plan"
)

// images makes the plan's images from the main packages in Config, or from those that are
// found.
func (r *Draft) images(cfg plan.Config) ([]plan.Image, error) {
	configured := cfg.Images
	switch d := cfg.Defaults; {
	case d.Name != "":
		return nil, fmt.Errorf(
			"Config.Defaults has the Name %q, but each image needs a different one; set Name in Config.Images",
			d.Name)
	case d.Package != "":
		return nil, fmt.Errorf(
			"Config.Defaults has the Package %q, but each image has its own; set Package in Config.Images",
			d.Package)
	case len(d.Programs) > 0:
		return nil, errors.New(
			"Config.Defaults has Programs, but each image has its own; set Programs in Config.Images")
	}
	if len(configured) == 0 {
		found, err := mains(r.Dir, r.Plan)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("find main packages: none under cmd/ and none at the root of module %s; "+
				"list yours in Config.Images", r.Plan.Module.Path)
		}
		for _, pkg := range found {
			configured = append(configured, plan.ImageConfig{Package: pkg})
		}
	}
	images := make([]plan.Image, 0, len(configured))
	byName := map[string]string{}
	for _, c := range configured {
		img, err := r.image(cfg, withDefaults(c, cfg.Defaults))
		if err != nil {
			return nil, err
		}
		if other, ok := byName[img.Name]; ok {
			return nil, fmt.Errorf(
				"two images are called %q: %s and %s; give one another Name in Config.Images",
				img.Name, other, img.Package)
		}
		byName[img.Name] = img.Package
		images = append(images, img)
	}
	slices.SortFunc(images, func(a, b plan.Image) int { return cmp.Compare(a.Name, b.Name) })
	return images, nil
}

// componentName matches a path component of a repository (distribution-spec, "name").
var componentName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)

func (r *Draft) image(cfg plan.Config, c plan.ImageConfig) (plan.Image, error) {
	p := r.Plan
	pkg, err := importPath(r.Dir, p, c.Package, p.Build.Of(plan.Image{BuildTags: c.BuildTags}).Tags)
	if err != nil {
		return plan.Image{}, err
	}
	img := plan.Image{
		Name:           cmp.Or(c.Name, strings.ToLower(execName(pkg))),
		Package:        pkg,
		Title:          c.Title,
		Licenses:       c.Licenses,
		Runtime:        c.Runtime,
		Include:        slices.Sorted(slices.Values(c.Include)),
		Exclude:        slices.Sorted(slices.Values(c.Exclude)),
		CACertificates: c.CACertificates,
		LicenseTexts:   !c.OmitLicenseTexts,
		Tags:           []string{Tag(p.Version)},
	}
	fail := func(format string, args ...any) (plan.Image, error) {
		return plan.Image{}, fmt.Errorf("image %s (%s): %s", img.Name, pkg, fmt.Sprintf(format, args...))
	}
	if !componentName.MatchString(img.Name) {
		return fail(
			"the name is not allowed in a reference; set Name in Config.Images to lower-case letters, " +
				"digits, '.', '_' and '-'")
	}
	if err := checkLicenses(c.Licenses); err != nil {
		return fail("%v", err)
	}
	if err := r.compiled(&img, cfg, c); err != nil {
		return fail("%v", err)
	}
	own := workModule{p.Module.Path, r.Dir}
	if img.Programs, err = programs(p, own, r.Go.Work, img, c.Programs); err != nil {
		return fail("%v", err)
	}
	img.Title = cmp.Or(img.Title, img.Name)
	if cfg.Repository != "" {
		img.Repository = strings.TrimSuffix(cfg.Repository, "/") + "/" + img.Name
		// The text before an @ may be a password, so the error does not contain it.
		if strings.Contains(img.Repository, "@") || strings.Contains(img.Repository, "://") {
			return fail(
				"the repository is a URL, or has credentials in it; write it as ghcr.io/acme, and log in " +
					"with \"docker login\"")
		}
		if _, err := name.NewRepository(img.Repository); err != nil {
			return fail("the repository %q is not valid: %v", img.Repository, err)
		}
	}
	for _, need := range slices.Concat(img.Include, img.Exclude) {
		if !slices.Contains(plan.Needs, need) {
			return fail("the need %q is not known; known are %s", need, strings.Join(plan.Needs, ", "))
		}
		if slices.Contains(img.Include, need) && slices.Contains(img.Exclude, need) {
			return fail("the need %q is both included and excluded", need)
		}
	}
	if img.Users, err = checkUsers(c.Users); err != nil {
		return fail("%v", err)
	}
	if img.Runtime.User, err = numericUser(img.Runtime.User, img.Users); err != nil {
		return fail("%v", err)
	}
	if err := checkRuntime(&img.Runtime); err != nil {
		return fail("%v", err)
	}
	if img.Symlinks, err = checkSymlinks(c.Symlinks); err != nil {
		return fail("%v", err)
	}
	if img.Capabilities, err = capability.Names(c.Capabilities); err != nil {
		return fail("%v", err)
	}
	img.Assets = slices.Clone(c.Assets)
	for i, a := range img.Assets {
		if img.Assets[i].Capabilities, err = capability.Names(a.Capabilities); err != nil {
			return fail("asset %s: %v", a.Source, err)
		}
	}
	if err := r.base(&img, c); err != nil {
		return fail("%v", err)
	}
	return img, nil
}

// fips140 matches the values of GOFIPS140.
var fips140 = regexp.MustCompile(`^(off|latest|inprocess|certified|v[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z]+)?)$`)

// compiled sets how the programs of an image are compiled, in addition to what holds for all.
func (r *Draft) compiled(img *plan.Image, cfg plan.Config, c plan.ImageConfig) (err error) {
	if err := checkBuildTags(c.BuildTags); err != nil {
		return err
	}
	if img.BuildTags = slices.Compact(slices.Sorted(slices.Values(c.BuildTags))); len(img.BuildTags) == 0 {
		img.BuildTags = nil
	}
	if c.FIPS140 != "" && !fips140.MatchString(c.FIPS140) {
		return fmt.Errorf(
			"FIPS140 is %q; it can be a version such as v1.0.0, latest, or another value of GOFIPS140",
			c.FIPS140)
	}
	img.FIPS140 = c.FIPS140
	if cfg.StableDigests {
		if err := stableFlags(c.LDFlags, r.Plan.Revision, r.expanded); err != nil {
			return err
		}
	}
	if r.ownFlags == nil {
		r.ownFlags = map[string][]string{}
	}
	r.ownFlags[img.Name] = c.LDFlags
	img.LDFlags, err = r.expand(c.LDFlags)
	return err
}

// withDefaults sets the empty fields of an image to the defaults of all images.
func withDefaults(c, d plan.ImageConfig) plan.ImageConfig {
	c.BuildTags = slices.Concat(d.BuildTags, c.BuildTags)
	c.LDFlags = slices.Concat(d.LDFlags, c.LDFlags)
	c.FIPS140 = cmp.Or(c.FIPS140, d.FIPS140)
	c.Title = cmp.Or(c.Title, d.Title)
	c.Licenses = cmp.Or(c.Licenses, d.Licenses)
	c.Base = cmp.Or(c.Base, d.Base)
	c.BaseSignature = cmp.Or(c.BaseSignature, d.BaseSignature)
	c.Packages = slices.Concat(d.Packages, c.Packages)
	c.Cgo = cmp.Or(c.Cgo, d.Cgo)
	c.Include = slices.Concat(d.Include, c.Include)
	c.Exclude = slices.Concat(d.Exclude, c.Exclude)
	c.CACertificates = slices.Concat(d.CACertificates, c.CACertificates)
	c.Assets = slices.Concat(d.Assets, c.Assets)
	c.Symlinks = slices.Concat(d.Symlinks, c.Symlinks)
	c.Users = slices.Concat(d.Users, c.Users)
	c.Capabilities = slices.Concat(d.Capabilities, c.Capabilities)
	c.OmitLicenseTexts = c.OmitLicenseTexts || d.OmitLicenseTexts
	run, def := &c.Runtime, d.Runtime
	run.User = cmp.Or(run.User, def.User)
	run.WorkingDir = cmp.Or(run.WorkingDir, def.WorkingDir)
	run.StopSignal = cmp.Or(run.StopSignal, def.StopSignal)
	run.Env = slices.Concat(def.Env, run.Env)
	if run.Entrypoint == nil {
		run.Entrypoint = def.Entrypoint
	}
	if run.Args == nil {
		run.Args = def.Args
	}
	if run.Ports == nil {
		run.Ports = def.Ports
	}
	if run.Volumes == nil {
		run.Volumes = def.Volumes
	}
	if run.Healthcheck == nil {
		run.Healthcheck = def.Healthcheck
	}
	labels := maps.Clone(def.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, run.Labels)
	run.Labels = labels
	return c
}

// Tag turns a version into a tag that the distribution-spec allows: v1.2.3+dirty becomes
// v1.2.3-dirty.
func Tag(version string) string {
	tag := regexp.MustCompile(`[^A-Za-z0-9_.-]`).ReplaceAllString(version, "-")
	if tag = strings.TrimLeft(tag, ".-"); len(tag) > 128 {
		tag = tag[:128]
	}
	return cmp.Or(tag, "unknown")
}
