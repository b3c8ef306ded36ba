package resolve

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/plan"
)

// drafted returns a draft of two images, and a function that fails if the draft was changed.
func drafted(t *testing.T) (*Draft, func()) {
	t.Helper()
	make := func() *Draft {
		d := &Draft{
			Plan: &plan.Plan{
				Revision: "0123456789abcdef", Build: plan.Build{Stamp: true, VCSTime: "2026-01-02T03:04:05Z"},
				Images: []plan.Image{{Name: "api"}, {Name: "worker", Licenses: "MIT"}},
			},
			version: "v1.2.3", ldflags: []string{"-s", "-X=main.version={{.Version}}"},
		}
		if err := d.setDirty("", ""); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d, same := make(), make()
	return d, func() {
		t.Helper()
		if !reflect.DeepEqual(d, same) {
			t.Errorf("the draft was changed: %+v, before %+v", d.Plan, same.Plan)
		}
	}
}

func TestFinish(t *testing.T) {
	stamped := &compile.Stamp{Stamped: true, ModuleVersion: "v1.2.3"}
	d, unchanged := drafted(t)
	defer unchanged()
	p, again, err := d.Finish(Findings{
		Stamp: stamped, License: "Apache-2.0", Generated: []plan.GeneratedFile{{Name: "gen.go"}},
		Inputs: map[string]*plan.Inputs{"api": {Revision: "fedcba"}},
	})
	if err != nil || again != nil {
		t.Fatalf("%+v, %v", again, err)
	}
	api, worker := p.Images[0], p.Images[1]
	if p.Dirty || p.Version != "v1.2.3" || p.ModuleVersion != "v1.2.3" || !p.Build.Stamp || len(p.Generated) != 1 {
		t.Errorf("%+v", p)
	}
	if api.Licenses != "Apache-2.0" || worker.Licenses != "MIT" || api.Inputs.Revision != "fedcba" || worker.Inputs != nil || !slices.Equal(api.Tags, []string{"v1.2.3"}) {
		t.Errorf("%+v", p.Images)
	}
	if p, _, err = d.Finish(Findings{Stamp: &compile.Stamp{ModuleVersion: "(devel)"}}); err != nil || p.Build.Stamp || p.Build.VCSTime != "" {
		t.Errorf("without a stamp: %+v, %v", p, err)
	}
}

// Flags that follow from the findings are linked: the findings about the first binaries are not
// those about the second.
func TestFinishCompilesAgain(t *testing.T) {
	stamped := &compile.Stamp{Stamped: true, ModuleVersion: "v1.2.3"}
	d, unchanged := drafted(t)
	defer unchanged()
	p, again, err := d.Finish(Findings{Stamp: stamped, File: "main.go", Cause: "it differs", License: "ISC"})
	if err != nil || p != nil || again == nil {
		t.Fatalf("%+v, %+v, %v", p, again, err)
	}
	if flag := again.Plan.Build.LDFlags[1]; flag != "-X=main.version=1.2.3+dirty" {
		t.Errorf("the flag is %s", flag)
	}
	if p, again, err = again.Finish(Findings{Stamp: stamped, File: "main.go", Cause: "it differs", License: "MIT"}); err != nil || again != nil {
		t.Fatalf("%+v, %v", again, err)
	}
	if !p.Dirty || p.DirtyFile != "main.go" || p.DirtyCause != "it differs" || p.Version != "v1.2.3+dirty" || p.Images[0].Licenses != "MIT" {
		t.Errorf("%+v", p)
	}
	// without a binary, nothing has to be linked
	if p, again, err = d.Finish(Findings{File: "main.go"}); err != nil || again != nil || !p.Dirty || !strings.Contains(p.Build.LDFlags[1], "+dirty") {
		t.Errorf("%+v, %+v, %v", p, again, err)
	}
	// what only the go command found
	if p, _, err = d.Finish(Findings{Stamp: &compile.Stamp{Stamped: true, Modified: true}}); err != nil || p != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestVary(t *testing.T) {
	d, unchanged := drafted(t)
	defer unchanged()
	v, err := d.Vary(Variant{Suffix: "-debug", KeepSymbols: true, GCFlags: []string{"all=-N -l"}, Images: []plan.Image{{Name: "api"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Plan.Build; !slices.Equal(got.LDFlags, []string{"-X=main.version=1.2.3"}) || len(got.GCFlags) != 1 {
		t.Errorf("%+v", got)
	}
	if len(v.Plan.Images) != 1 || !slices.Equal(v.Plan.Images[0].Tags, []string{"v1.2.3-debug"}) {
		t.Errorf("%+v", v.Plan.Images)
	}
}
