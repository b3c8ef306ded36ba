package resolve

import (
	"cmp"
	"slices"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// Findings are what was found out while a draft was compiled, and compared with the commit.
type Findings struct {
	// Stamp is the go command's, the same in all binaries; nil if nothing was compiled.
	Stamp *compile.Stamp
	// File is the first file that differs from the commit, and Cause the reason; "" if none
	// differs.
	File, Cause string
	// Generated are the files that Config.Before made.
	Generated []plan.GeneratedFile
	// Profiles are those of the main packages.
	Profiles []plan.Profile
	// License is that of the service, as an SPDX expression; "" if unknown.
	License string
	// Inputs are the states of the images' inputs by name, if digests are stable.
	Inputs map[string]*plan.Inputs
}

// Finish returns the final plan. If the findings change linker flags, and the binaries were
// compiled with the draft's, it returns a draft with the new flags instead, to compile again.
//
// The tree is dirty if something that goes into the images differs from the commit, or if the go
// command stamped the tree as modified, because the program then reports itself as modified. Git
// can make a tree dirty, but never clean.
func (r *Draft) Finish(f Findings) (*plan.Plan, *Draft, error) {
	next := r.clone()
	modified := r.Reported != ""
	if f.Stamp != nil {
		modified = f.Stamp.Modified
	}
	if f.File == "" && modified {
		f.File, f.Cause = cmp.Or(r.Reported, "."), ""
	}
	if err := next.setDirty(f.File, f.Cause); err != nil {
		return nil, nil, err
	}
	p := next.Plan
	if f.Stamp != nil {
		if !slices.Equal(p.Build.LDFlags, r.Plan.Build.LDFlags) ||
			!slices.EqualFunc(p.Images, r.Plan.Images, sameFlags) {
			return nil, next, nil
		}
		p.ModuleVersion, p.Build.VCSModified = f.Stamp.ModuleVersion, f.Stamp.Modified
		if !f.Stamp.Stamped {
			p.Build.Stamp, p.Build.VCSTime = false, ""
		}
	}
	p.Generated, p.Profiles = f.Generated, f.Profiles
	for i := range p.Images {
		p.Images[i].Licenses = cmp.Or(p.Images[i].Licenses, f.License)
		p.Images[i].Inputs = f.Inputs[p.Images[i].Name]
	}
	return p, nil, nil
}

func sameFlags(a, b plan.Image) bool { return slices.Equal(a.LDFlags, b.LDFlags) }

// Variant changes a draft into one for other images of the same programs, which are not released.
type Variant struct {
	// Suffix is added to the version in tags.
	Suffix string
	// KeepSymbols removes the linker flags that leave symbols out. GCFlags are compiler flags.
	KeepSymbols bool
	GCFlags     []string
	// Images and Lock replace those of the plan.
	Images []plan.Image
	Lock   *plan.Lock
}

// Vary returns the draft of a variant.
func (r *Draft) Vary(v Variant) (*Draft, error) {
	next := r.clone()
	next.suffix, next.Plan.Images, next.Plan.Lock = v.Suffix, slices.Clone(v.Images), v.Lock
	if v.KeepSymbols {
		next.ldflags, next.ownFlags = withSymbols(r.ldflags), map[string][]string{}
		for name, flags := range r.ownFlags {
			next.ownFlags[name] = withSymbols(flags)
		}
	}
	next.Plan.Build.GCFlags = v.GCFlags
	return next, next.setDirty(r.Plan.DirtyFile, r.Plan.DirtyCause)
}

// withSymbols returns linker flags without those that leave symbols out.
func withSymbols(flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "-s" || f == "-w" })
}

// WithGo returns the draft for another go command.
func (r *Draft) WithGo(g *gocmd.Go) *Draft {
	next := *r
	next.Go = g
	return &next
}

// clone returns a copy with a plan that can be changed.
func (r *Draft) clone() *Draft {
	next, p := *r, *r.Plan
	p.Images = slices.Clone(p.Images)
	next.Plan = &p
	return &next
}
