package rerun

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// made is a build of an image that needs certificates and copies /src/asset.txt.
func made() Build {
	b := Build{Manifest: report.Manifest{
		Plan: &plan.Plan{Images: []plan.Image{{Name: "api", Tags: []string{"v1"}}}},
		Images: []report.ImageResult{{Platforms: []report.PlatformResult{{
			Binary: report.Binary{Static: true, SHA256: "one"},
			Needs:  []report.Need{{Need: plan.Need{Name: plan.NeedCACertificates}}},
		}}}},
	}}
	b.Files.Copied = []string{"/src/asset.txt"}
	return b
}

func TestMayReplaceProgram(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*Service)
		changed string
		want    bool
	}{
		{"source", func(*Service) {}, "/src/main.go", true},
		{"an asset", func(*Service) {}, "/src/main.go /src/asset.txt", false},
		{"an engine elsewhere", func(v *Service) { v.mounts = false }, "/src/main.go", false},
		{"capabilities", func(v *Service) { v.spec.Capabilities = []string{"cap_chown"} }, "/src/main.go", false},
		{"libraries", func(v *Service) {
			v.latest.Images[0].Platforms[0].Binary.Static = false
		}, "/src/main.go", false},
	} {
		v := Service{mounts: true, image: made(), latest: made()}
		test.change(&v)
		if got := v.mayReplaceProgram(strings.Fields(test.changed)); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestSame(t *testing.T) {
	platform := func(b *Build) *report.PlatformResult { return &b.Images[0].Platforms[0] }
	for _, test := range []struct {
		name          string
		change        func(*Build)
		rest, program bool
	}{
		{"the same", func(*Build) {}, true, true},
		{"another program", func(b *Build) { platform(b).Binary.SHA256 = "two" }, true, false},
		{"other tags", func(b *Build) { b.Plan.Images[0].Tags = []string{"v2"} }, true, true},
		{"another need", func(b *Build) {
			platform(b).Needs = append(platform(b).Needs, report.Need{Need: plan.Need{Name: plan.NeedTmp}})
		}, false, true},
		{"an embedded need", func(b *Build) {
			embedded := report.Need{Need: plan.Need{Name: plan.NeedZoneinfo, Embedded: true}}
			platform(b).Needs = append(platform(b).Needs, embedded)
		}, true, true},
		{"another name", func(b *Build) { b.Plan.Images[0].Name = "web" }, false, true},
		{"another base", func(b *Build) { b.Plan.Lock = &plan.Lock{} }, false, true},
		{"another asset", func(b *Build) { b.Files.Copied = append(b.Files.Copied, "/src/more.txt") }, false, true},
		{"libraries", func(b *Build) { platform(b).Binary.Static = false }, false, true},
	} {
		v, b := Service{image: made(), latest: made()}, made()
		test.change(&b)
		if rest, program := v.sameButProgram(b), v.sameProgram(b); rest != test.rest || program != test.program {
			t.Errorf("%s: the rest is the same: %v, the program: %v", test.name, rest, program)
		}
	}
}

func TestAnnouncement(t *testing.T) {
	b := made()
	b.Loaded = []report.Loaded{{Engine: "docker", Version: "20.10"}}
	v := Service{image: b, spec: container.Spec{Image: "api:v1"}}
	if got := v.announcement([]container.Port{{Host: 80, Container: 8080, Protocol: "tcp"}}); got !=
		"api:v1 runs in docker 20.10, until Ctrl-C\nhttp://127.0.0.1:80" {
		t.Errorf("the announcement is %q", got)
	}
	v.spec.Capabilities = []string{"cap_chown"}
	got := v.announcement(nil)
	for _, want := range []string{"\nno port is published", "\nits file capabilities are granted"} {
		if !strings.Contains(got, want) {
			t.Errorf("the announcement is %q", got)
		}
	}
}

func TestChoose(t *testing.T) {
	p := &plan.Plan{
		Module:    plan.Module{Path: "example.com/m"},
		Platforms: []plan.Platform{{OS: "linux", Architecture: "amd64"}},
		Images: []plan.Image{
			{Name: "api", Package: "example.com/m/cmd/api"}, {Name: "web", Package: "example.com/m/cmd/web"},
		},
	}
	config := plan.Config{Images: []plan.ImageConfig{
		{Package: "./cmd/api", Base: "static"}, {Name: "web", Package: "./cmd/web"},
	}}
	for name, want := range map[string]plan.ImageConfig{"api": config.Images[0], "web": config.Images[1]} {
		img, one, err := Choose(p, config, name)
		if err != nil || img.Name != name || len(one.Images) != 1 || one.Images[0].Package != want.Package ||
			one.Images[0].Base != want.Base {
			t.Errorf("%s is %s, %v, %v", name, img.Name, one.Images, err)
		}
	}
	if len(config.Images) != 2 {
		t.Errorf("Choose changes its argument: %v", config.Images)
	}
	if _, one, err := Choose(p, plan.Config{}, "web"); err != nil || len(one.Images) != 1 ||
		one.Images[0].Package != "example.com/m/cmd/web" {
		t.Errorf("an image that was found is %v, %v", one.Images, err)
	}
	for name, want := range map[string]string{
		"":     "run: there are 2 images; choose one with -image=NAME: api, web",
		"none": `run: there is no image "none"; the images are api, web`,
	} {
		if _, _, err := Choose(p, config, name); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	one := *p
	one.Images = p.Images[:1]
	if img, _, err := Choose(&one, config, ""); err != nil || img.Name != "api" {
		t.Errorf("the only image is %q, %v", img.Name, err)
	}
	one.Platforms = slices.Concat(p.Platforms, p.Platforms)
	want := "run: there are 2 platforms, but an image runs on one"
	if _, _, err := Choose(&one, config, ""); err == nil || err.Error() != want {
		t.Errorf("two platforms: %v", err)
	}
}

// said keeps notices and stages.
type said struct{ all []string }

func (s *said) Notice(text string) { s.all = append(s.all, text) }
func (s *said) Start(task string) func(string, error) {
	s.all = append(s.all, "start "+task)
	return func(string, error) {}
}

func TestNotices(t *testing.T) {
	var got said
	n := NewNotices(&got)
	n.Notice("a")
	n.Start("compile")("", nil)
	n.Only()
	n.Notice("a")
	n.Start("compile")("", nil)
	n.Notice("b")
	if all := strings.Join(got.all, ", "); all != "a, start compile, b" {
		t.Errorf("%q was passed on", all)
	}
}
