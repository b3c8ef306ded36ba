package build

import (
	"cmp"
	"fmt"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/plan"
)

// complete adds to the plan what the binaries contain and what was found out about the source:
// the go command's stamp, whether the tree differs from the commit, the service's licence.
// Nothing else uses the plan at the same time. It can be called again.
//
// The tree is dirty if something that goes into the images differs from the commit, or if the
// go command stamped the tree as modified, because the program then reports itself as modified.
// Git can make a tree dirty, but never clean.
func (r *run) complete(units []*unit, found *findings) error {
	p := r.resolved.Plan
	modified := r.resolved.Reported != ""
	if len(units) > 0 {
		stamp, err := stampOf(units)
		if err != nil {
			return err
		}
		modified = stamp.Modified
		p.ModuleVersion, p.Build.VCSModified = stamp.ModuleVersion, stamp.Modified
		if p.Build.Stamp && !stamp.Stamped {
			r.Progress.Notice("the binary carries no commit: the go command stamped none")
			p.Build.Stamp, p.Build.VCSTime = false, ""
		}
	}
	file, cause := "", ""
	if len(found.compared.Differences) > 0 {
		file, cause = found.compared.Differences[0].File, found.compared.Differences[0].Why()
	} else if modified {
		file = cmp.Or(r.resolved.Reported, ".")
	}
	if err := r.resolved.SetDirty(file, cause); err != nil {
		return err
	}
	p.Generated = found.generated
	for i := range p.Images {
		p.Images[i].Licenses = cmp.Or(p.Images[i].Licenses, found.licenses)
		p.Images[i].Inputs = found.inputs[p.Images[i].Name]
	}
	r.debug.tag(p)
	for _, u := range units {
		for _, img := range p.Images {
			if img.Name == u.image.Name {
				u.image = img
			}
		}
	}
	return nil
}

// stampOf returns the go command's stamp, which must be the same in all binaries.
func stampOf(units []*unit) (compile.Stamp, error) {
	first := compile.ReadStamp(units[0].build)
	for _, u := range units[1:] {
		if stamp := compile.ReadStamp(u.build); stamp != first {
			return first, fmt.Errorf("compile: the go command stamped %s with version %s, and %s with %s; did the tree change meanwhile? run it again",
				units[0], first.ModuleVersion, u, stamp.ModuleVersion)
		}
	}
	return first, nil
}

// noticeDirt tells the user which file makes the tree dirty.
func (r *run) noticeDirt() {
	if p := r.resolved.Plan; p.Dirty {
		r.Progress.Notice("the tree differs from the commit: " + dirt(p))
	}
}

// dirt returns the file that makes the tree dirty, and why.
func dirt(p *plan.Plan) string {
	if p.DirtyCause == "" {
		return p.DirtyFile
	}
	return p.DirtyFile + ": " + p.DirtyCause
}
