package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

var (
	hex64   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	digests = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// packageName is as in Debian Policy 5.6.1, word is the format of suites and architectures,
	// version is as in Policy 5.6.12.
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)
	word        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	version     = regexp.MustCompile(`^[0-9A-Za-z.+:~-]+$`)
	snapshot    = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z$`)
)

// check returns an error for an invalid lock.
func check(l *plan.Lock) error {
	suites := map[string]bool{}
	for i := range l.Debian {
		d := &l.Debian[i]
		if !word.MatchString(d.Suite) || suites[d.Suite] {
			return fmt.Errorf("suite %q is unknown, or appears twice", d.Suite)
		}
		suites[d.Suite] = true
		if err := checkDebian(d); err != nil {
			return fmt.Errorf("suite %s: %w", d.Suite, err)
		}
	}
	references := map[string]bool{}
	for _, i := range l.Images {
		if i.Reference == "" || references[i.Reference] {
			return fmt.Errorf("image %q has no reference, or appears twice", i.Reference)
		}
		references[i.Reference] = true
		if err := checkImage(i); err != nil {
			return fmt.Errorf("image %s: %w", i.Reference, err)
		}
	}
	return nil
}

func checkDebian(d *plan.DebianLock) error {
	for _, i := range d.Indexes {
		if _, err := time.Parse(time.RFC3339, i.Date); err != nil {
			return fmt.Errorf("the date %q of %s is not in RFC 3339", i.Date, i.Suite)
		}
		if !word.MatchString(i.Archive) || !word.MatchString(i.Suite) || i.Snapshot != "" &&
			!snapshot.MatchString(i.Snapshot) {
			return fmt.Errorf("index %q of archive %q at snapshot %q is not valid", i.Suite,
				i.Archive, i.Snapshot)
		}
	}
	type key struct{ pinned, architecture string } // name=version
	there := map[key]bool{}
	for _, p := range d.Packages {
		k := key{p.Name + "=" + p.Version, p.Architecture}
		switch {
		case !packageName.MatchString(p.Name) || !version.MatchString(p.Version) ||
			!word.MatchString(p.Architecture):
			return fmt.Errorf("package %q %q for %q is not valid", p.Name, p.Version, p.Architecture)
		case there[k]:
			return fmt.Errorf("package %s for %s appears twice", p.Name, p.Architecture)
		case !word.MatchString(p.Archive) || !fs.ValidPath(p.Path) || p.Path == "." ||
			strings.ContainsAny(p.Path, "\\?#%"):
			return fmt.Errorf("package %s: %q is not a path in archive %q", p.Name, p.Path, p.Archive)
		case !hex64.MatchString(p.SHA256) || p.Size <= 0:
			return fmt.Errorf("package %s has no size or no SHA-256", p.Name)
		}
		there[k] = true
	}
	seen := map[string]bool{}
	for _, s := range d.Selections {
		k := fmt.Sprintf("%q %q %q", s.Base, s.With, s.Architecture)
		if s.Base == "" || !word.MatchString(s.Architecture) || seen[k] {
			return fmt.Errorf("selection %s is not valid, or appears twice", k)
		}
		seen[k] = true
		for i, name := range s.Packages {
			if !there[key{name, s.Architecture}] && !there[key{name, "all"}] {
				return fmt.Errorf("selection %s for %s has package %q, which is not pinned", s.Base,
					s.Architecture, name)
			}
			if slices.Contains(s.Packages[:i], name) {
				return fmt.Errorf("selection %s for %s has package %s twice", s.Base, s.Architecture, name)
			}
		}
	}
	return nil
}

func checkImage(i plan.ImageLock) error {
	if !digests.MatchString(i.Digest) || i.MediaType == "" {
		return errors.New("it has no digest or no media type")
	}
	seen := map[plan.Platform]bool{}
	for _, p := range i.Platforms {
		switch {
		case p.Platform == plan.Platform{} || seen[p.Platform]:
			return fmt.Errorf("platform %q is not valid, or appears twice", p.Platform)
		case !digests.MatchString(p.Digest) || p.MediaType == "" || p.Size <= 0:
			return fmt.Errorf("platform %s has no digest, media type or size", p.Platform)
		}
		seen[p.Platform] = true
		for _, s := range p.SBOMs {
			if !digests.MatchString(s.Digest) || s.MediaType == "" {
				return fmt.Errorf("platform %s: an SBOM has no digest or no media type", p.Platform)
			}
		}
	}
	return nil
}
