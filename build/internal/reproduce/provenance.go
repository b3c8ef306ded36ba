package reproduce

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Provenance says what was built, and by whom.
type Provenance struct {
	*describe.Build
	// Signer is who signed it.
	Signer string
	// Inputs are the digests of the attestations that contain it.
	Inputs []v1.Hash
	// Notes are for the report.
	Notes []string
}

// ReadProvenance reads the attestations of an image's provenance. If they are from several
// builds, it uses the first.
func ReadProvenance(all []attest.Attested) (*Provenance, error) {
	var p *Provenance
	for _, a := range all {
		found, err := describe.ReadProvenance(a.Predicate)
		if errors.Is(err, describe.ErrBuildType) {
			return nil, fmt.Errorf("%w; build it again with the tool that made it", err)
		}
		if err != nil {
			return nil, err
		}
		if p == nil {
			p = &Provenance{Build: found, Signer: a.Signer, Notes: otherKit(found.Plan.Kit)}
		} else if same, err := samePlan(p.Plan, found.Plan); err != nil {
			return nil, err
		} else if !same {
			p.Notes = append(p.Notes, "the image has provenance of several builds; the first was taken")
			continue
		}
		if !slices.Contains(p.Inputs, a.Digest) {
			p.Inputs = append(p.Inputs, a.Digest)
		}
	}
	return p, nil
}

// otherKit returns a note if another version of thimble made the image.
func otherKit(kit plan.Kit) []string {
	here := session.Kit()
	if kit == here {
		return nil
	}
	return []string{fmt.Sprintf(
		"the image was made by thimble %s, but this is %s: run go get %s@%s in magefiles to get the same",
		kit.Version, here.Version, kit.Path, kit.Version)}
}

func samePlan(a, b *plan.Plan) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return string(x) == string(y), err
}

// Terms are what the user allows a build of foreign source.
type Terms struct {
	// Mirror is a repository, or a folder, to fetch the source from, instead of the one in the
	// provenance.
	Mirror string
	// AllowLinkerFlags are additional linker flags that the plan may have. Those that change
	// only the binary are always allowed.
	AllowLinkerFlags []string
	// AnySubmodules allows submodules on hosts other than the source's.
	AnySubmodules bool
	// Before runs Config.Before of the session, if it has the same programs.
	Before bool
}

// Source returns what the provenance says to build, and notes for the report. It returns an
// error for what the terms do not allow.
func (p *Provenance) Source(s *session.Session, terms Terms) (Source, []string, error) {
	again := *p.Plan
	if err := errors.Join(p.checkSource(terms.Mirror),
		CheckPlan(&again, terms.AllowLinkerFlags)); err != nil {
		return Source{}, nil, err
	}
	// Without a lock, build only this image. A lock pins the bases of all of the plan's images,
	// so keep them all.
	if again.Lock == nil {
		again.Images = slices.DeleteFunc(slices.Clone(again.Images),
			func(i plan.Image) bool { return i.Name != p.Image })
	}
	again.Platforms = nil
	for _, name := range p.Platforms {
		platform, err := plan.ParsePlatform(name)
		if err != nil {
			return Source{}, nil, err
		}
		again.Platforms = append(again.Platforms, platform)
	}
	if order := p.Plan.Platforms; len(order) == len(again.Platforms) {
		again.Platforms = order // which the index has
	}
	cfg := again.Config()
	cfg.Version = p.Version
	cfg.CC = s.Config.CC
	cfg.Dist = s.Config.Dist
	cfg.Debian.Mirror = s.Config.Debian.Mirror // the rebuilder decides where packages come from
	var notes []string
	if len(p.Before) > 0 || terms.Before {
		note, err := p.before(s.Config.Before, terms.Before)
		if err != nil {
			return Source{}, nil, err
		}
		if note != "" {
			notes = append(notes, note)
		} else {
			cfg.Before = s.Config.Before
		}
	}
	if again.Dirty {
		notes = append(notes, fmt.Sprintf("the image was built from a tree that differs from its commit: %s",
			again.DirtyFile))
	}
	source := Source{
		From: p.Repository, Commit: p.Commit, Shallow: again.Shallow,
		Elsewhere: "give another copy of the source with -mirror",
		Workdir:   again.Workdir, Config: cfg, Plan: &again, AnySubmodules: terms.AnySubmodules,
	}
	if mirror := terms.Mirror; mirror != "" {
		if source.From, source.Origin = mirror, p.Repository; !strings.Contains(mirror, "://") &&
			!strings.Contains(mirror, "@") {
			source.From = s.Path(mirror)
		}
	}
	for _, platform := range again.Platforms {
		source.Platforms = append(source.Platforms, platform.String())
	}
	return source, notes, nil
}

// checkSource checks whether the source can be fetched.
func (p *Provenance) checkSource(mirror string) error {
	from := p.Repository
	switch {
	case p.Commit == "":
		return errors.New("its provenance has no commit: it was built without git and cannot be built again")
	case mirror == "" && from == "":
		return fmt.Errorf("its provenance has commit %s but no repository; give one that has it with -mirror",
			p.Commit)
	case mirror == "" && !git.Fetchable(from):
		return fmt.Errorf(
			"refusing to clone the source %q: provenance may contain only https, http and ssh URLs; give a "+
				"copy with -mirror", from)
	}
	return nil
}

// before decides whether the rebuilder's commands run before the build, if the provenance names
// what ran. If the user did not ask for it, a note says that they do not run.
func (p *Provenance) before(commands [][]string, asked bool) (note string, err error) {
	var programs []string
	for _, command := range commands {
		if len(command) > 0 {
			programs = append(programs, path.Base(filepath.ToSlash(command[0])))
		}
	}
	ran := strings.Join(p.Before, ", ")
	switch {
	case !asked:
		return fmt.Sprintf(
			"before the build, %s ran with arguments that provenance does not contain; they are in the "+
				"source's magefile: put them into Config.Before, and set -before", ran), nil
	case !slices.Equal(programs, p.Before):
		return "", fmt.Errorf(
			"before the build, %q ran, but -before would run %q of Config.Before; make them the same, or "+
				"omit -before", p.Before, programs)
	}
	return "", nil
}
