package debian

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// record is one package of a list.
type record struct {
	plan.DebianPackage
	priority int
	// The relations are parsed only when needed: for most packages they are not.
	preDepends, depends, provides, conflicts, breaks string
}

// universe contains all packages of an architecture.
type universe struct {
	architecture string
	packages     map[string][]*record // by name
	providers    map[string][]*record // by the provided name
}

func newUniverse(architecture string) *universe {
	return &universe{architecture, make(map[string][]*record, 1<<16), make(map[string][]*record, 1<<14)}
}

// listFields are the fields of a list that are read.
var listFields = map[string]bool{
	"package": true, "version": true, "architecture": true, "source": true, "maintainer": true,
	"filename": true, "size": true, "sha256": true, "priority": true, "pre-depends": true,
	"depends": true, "provides": true, "conflicts": true, "breaks": true,
}

var priorities = map[string]int{"required": 0, "important": 1, "standard": 2, "optional": 3}

// add adds the packages of a list.
func (u *universe) add(list, archive string) error {
	return paragraphs(list, listFields, func(p paragraph) error {
		r, err := u.record(p, archive)
		if err != nil {
			return fmt.Errorf("package %.80q: %w", p["package"], err)
		}
		u.packages[r.Name] = append(u.packages[r.Name], r)
		if r.provides == "" {
			return nil
		}
		provided, err := readRelations(r.provides)
		if err != nil {
			return fmt.Errorf("package %s provides: %w", r.Name, err)
		}
		for _, group := range provided {
			for _, p := range group {
				u.providers[p.name] = append(u.providers[p.name], r)
			}
		}
		return nil
	})
}

func (u *universe) record(p paragraph, archive string) (*record, error) {
	r := &record{
		DebianPackage: plan.DebianPackage{
			Name: p["package"], Version: p["version"], Architecture: p["architecture"],
			Maintainer: p["maintainer"], Archive: archive, Path: p["filename"], SHA256: p["sha256"],
		},
		preDepends: p["pre-depends"], depends: p["depends"], provides: p["provides"],
		conflicts: p["conflicts"], breaks: p["breaks"],
	}
	if priority, ok := priorities[p["priority"]]; ok {
		r.priority = priority
	} else {
		r.priority = len(priorities)
	}
	if r.Architecture != u.architecture && r.Architecture != "all" {
		return nil, fmt.Errorf("its architecture is %.40q in a list for %s", r.Architecture, u.architecture)
	}
	var err error
	if r.Size, err = strconv.ParseInt(p["size"], 10, 64); err != nil {
		return nil, fmt.Errorf("its size is %.40q", p["size"])
	}
	// "Source: name (version)"; a missing part is that of the package.
	r.Source, r.SourceVersion = r.Name, r.Version
	if name, version, ok := strings.Cut(p["source"], " "); name != "" {
		r.Source = name
		if ok {
			r.SourceVersion = strings.Trim(version, "( )")
		}
	}
	return r, nil
}

// checkPackage returns an error for an invalid or too large package. It protects what is made
// from the fields: URLs, paths, documents.
func checkPackage(p plan.DebianPackage) error {
	for _, n := range []string{p.Name, p.Source} {
		if err := checkName(n); err != nil {
			return err
		}
	}
	for _, v := range []string{p.Version, p.SourceVersion} {
		if err := checkVersion(v); err != nil {
			return err
		}
	}
	if p.Archive != mainArchive && p.Archive != securityArchive {
		return fmt.Errorf("there is no archive %q", p.Archive)
	}
	if err := checkPath(p.Path); err != nil {
		return err
	}
	if p.Size <= 0 || p.Size > maxDownload {
		return fmt.Errorf("a size of %d bytes is not between 1 and %d", p.Size, int64(maxDownload))
	}
	return checkSHA256(p.SHA256)
}

// newest returns the newest version of a package that meets a relation; nil if there is none.
func (u *universe) newest(want relation) *record {
	var best *record
	for _, r := range u.packages[want.name] {
		if want.met(r.Version) && (best == nil || compareVersions(r.Version, best.Version) > 0) {
			best = r
		}
	}
	return best
}

// candidate returns the preferred version of a package: the newest.
func (u *universe) candidate(name string) *record { return u.newest(relation{name: name}) }
