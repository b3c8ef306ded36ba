package reproduce

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/describe"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// told is the provenance of an image by a plan that a rebuild takes.
func told() *Provenance {
	p := &plan.Plan{Images: []plan.Image{{Name: "api"}, {Name: "job"}}, Platforms: []plan.Platform{{OS: "linux", Architecture: "amd64"}}, Workdir: "team"}
	p.Toolchain.Version, p.Toolchain.Mod = "go1.26.8", "readonly"
	return &Provenance{Build: &describe.Build{
		Plan: p, Image: "api", Platforms: []string{"linux/amd64"}, Repository: "https://git.example.com/acme/api", Commit: strings.Repeat("a", 40), Version: "v1",
	}}
}

// What is built again, and from where, is what provenance tells and the user allows.
func TestSource(t *testing.T) {
	for name, test := range map[string]struct {
		change       func(*Provenance)
		before       [][]string // of Config
		terms        Terms
		from, origin string
		notes, ran   int
		refused      string
	}{
		"as told":                 {from: "https://git.example.com/acme/api"},
		"a mirror":                {terms: Terms{Mirror: "https://mirror.example.com/api"}, from: "https://mirror.example.com/api", origin: "https://git.example.com/acme/api"},
		"a mirror by ssh":         {terms: Terms{Mirror: "git@mirror:api"}, from: "git@mirror:api", origin: "https://git.example.com/acme/api"},
		"a mirror in a folder":    {terms: Terms{Mirror: "copy"}, from: filepath.Join("/work", "copy"), origin: "https://git.example.com/acme/api"},
		"no commit":               {change: func(p *Provenance) { p.Commit = "" }, refused: "has no commit"},
		"no repository":           {change: func(p *Provenance) { p.Repository = "" }, refused: "but no repository; give one that has it with -mirror"},
		"a program":               {change: func(p *Provenance) { p.Repository = "ext::sh" }, refused: "only https, http and ssh URLs"},
		"a program, and a mirror": {change: func(p *Provenance) { p.Repository = "ext::sh" }, terms: Terms{Mirror: "https://mirror.example.com/api"}, from: "https://mirror.example.com/api", origin: "ext::sh"},
		"a plan that is refused":  {change: func(p *Provenance) { p.Plan.Workdir = "../x" }, refused: "not below the repository's root"},
		"a dirty tree":            {change: func(p *Provenance) { p.Plan.Dirty, p.Plan.DirtyFile = true, "x" }, from: "https://git.example.com/acme/api", notes: 1},
		"commands, not asked for": {change: func(p *Provenance) { p.Build.Before = []string{"sh"} }, before: [][]string{{"sh", "x"}}, from: "https://git.example.com/acme/api", notes: 1},
		"commands":                {change: func(p *Provenance) { p.Build.Before = []string{"sh"} }, before: [][]string{{"/bin/sh", "x"}}, terms: Terms{Before: true}, from: "https://git.example.com/acme/api", ran: 1},
		"other commands":          {change: func(p *Provenance) { p.Build.Before = []string{"sh"} }, before: [][]string{{"go", "x"}}, terms: Terms{Before: true}, refused: "omit -before"},
		"no commands":             {before: [][]string{{"go", "x"}}, terms: Terms{Before: true}, refused: "omit -before"},
	} {
		t.Run(name, func(t *testing.T) {
			p := told()
			if test.change != nil {
				test.change(p)
			}
			s := &session.Session{Workdir: "/work", Config: plan.Config{Dist: "out", Before: test.before}}
			source, notes, err := p.Source(s, test.terms)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("error %v, want it to say %q", err, test.refused)
				}
				return
			}
			if err != nil || source.From != test.from || source.Origin != test.origin || len(notes) != test.notes || len(source.Config.Before) != test.ran {
				t.Errorf("%+v, %q, %v", source, notes, err)
			}
			if source.Workdir != "team" || source.Config.Dist != "out" || source.Config.Version != "v1" || !slices.Equal(source.Platforms, []string{"linux/amd64"}) {
				t.Errorf("%+v", source)
			}
			if len(source.Plan.Images) != 1 || len(p.Plan.Images) != 2 {
				t.Errorf("it builds %+v of %+v", source.Plan.Images, p.Plan.Images)
			}
		})
	}
}

// Where an image has provenance of several builds, the first counts, and the report says so. It
// also says that another thimble made the image.
func TestReadProvenance(t *testing.T) {
	attested := func(version, digest string) attest.Attested {
		p := told()
		p.Plan.Version, p.Plan.Kit = version, plan.Kit{Path: "kit", Version: "v0.0.1"}
		b, err := json.Marshal(map[string]any{"buildDefinition": map[string]any{
			"buildType":          describe.BuildType,
			"internalParameters": map[string]any{"plan": p.Plan, "image": "api", "platforms": p.Platforms},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return attest.Attested{Predicate: b, Signer: "signer of " + version, Digest: v1.Hash{Hex: digest}}
	}
	p, err := ReadProvenance([]attest.Attested{attested("v1", "a"), attested("v1", "a"), attested("v2", "b"), attested("v1", "c")})
	if err != nil || p.Plan.Version != "v1" || p.Signer != "signer of v1" || len(p.Inputs) != 2 || p.Inputs[1].Hex != "c" ||
		len(p.Notes) != 2 || !strings.HasSuffix(p.Notes[0], "go get kit@v0.0.1 in magefiles to get the same") {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ReadProvenance([]attest.Attested{{Predicate: []byte(`{"buildDefinition": {"buildType": "x"}}`)}}); err == nil || !strings.HasSuffix(err.Error(), "build it again with the tool that made it") {
		t.Errorf("another tool's: %v", err)
	}
}

// A toolchain with faults is used only where the whole sandbox holds.
func TestCheckToolchain(t *testing.T) {
	for _, test := range []struct {
		version   string
		sandboxed bool
		notes     int
		refused   bool
	}{
		{"go1.27.1", false, 0, false}, {"go1.2.1", true, 1, false}, {"go1.2.1", false, 0, true},
	} {
		if notes, err := checkToolchain(test.version, test.sandboxed); len(notes) != test.notes || (err != nil) != test.refused {
			t.Errorf("%+v: %q, %v", test, notes, err)
		}
	}
}
