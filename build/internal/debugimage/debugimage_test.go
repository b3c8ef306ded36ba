package debugimage

import (
	"reflect"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// A debug image is the image with what debuggers need. The image that it is made of does not change.
func TestDebugged(t *testing.T) {
	img := plan.Image{
		Name: "api", Title: "api", Include: []string{plan.NeedZoneinfo}, Exclude: []string{plan.NeedUsers},
		Runtime: plan.Runtime{Ports: []string{"8080"}, Env: []string{"A=b"}, User: "65532:65532"},
	}
	before := img
	before.Include, before.Runtime.Ports = slices.Clone(img.Include), slices.Clone(img.Runtime.Ports)
	before.Runtime.Env = slices.Clone(img.Runtime.Env)
	want := img
	want.Title = "api (debug)"
	want.Include = []string{plan.NeedHome, plan.NeedTmp, plan.NeedZoneinfo} // not what is excluded
	want.Runtime.Ports = []string{"8080", Port}
	want.Runtime.Env = []string{
		"A=b", "PATH=/app:/debug/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	same(t, debugged(img), want)
	same(t, img, before)
}

// A toolbox is root on scratch, whatever the image is, and runs a shell.
func TestToolbox(t *testing.T) {
	img := plan.Image{
		Name: "api", Package: "./cmd/api", Title: "api", Base: "debian", Packages: []string{"curl"},
		Capabilities: []string{"cap_net_bind_service"},
		Runtime:      plan.Runtime{User: "65532:65532", Env: []string{"A=b"}},
	}
	got := toolbox(img)
	if got.Base != plan.BaseScratch || got.Packages != nil || got.Capabilities != nil {
		t.Errorf("the toolbox keeps something of the base: %+v", got)
	}
	if r := got.Runtime; r.User != "0:0" || !slices.Equal(r.Args, []string{"/debug/bin/sh"}) ||
		slices.Contains(r.Env, "A=b") {
		t.Errorf("the toolbox runs as %+v", r)
	}
}

func TestWithPath(t *testing.T) {
	usual := ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, test := range []struct{ env, first, want []string }{
		{want: []string{"PATH=/debug/bin" + usual}},
		{env: []string{"A=b"}, first: []string{"/app"}, want: []string{"A=b", "PATH=/app:/debug/bin" + usual}},
		{env: []string{"PATH=/x", "A=b"}, first: []string{"/app"}, want: []string{"PATH=/x:/debug/bin", "A=b"}},
	} {
		before := slices.Clone(test.env)
		same(t, withPath(test.env, test.first...), test.want)
		same(t, test.env, before)
	}
}

func TestContainerCapabilities(t *testing.T) {
	got := containerCapabilities([]string{"cap_sys_ptrace", "cap_dac_override"}, nil, []string{"cap_sys_ptrace"})
	same(t, got, []string{"DAC_OVERRIDE", "SYS_PTRACE"})
}

// dlv needs capabilities only to trace a service that has some.
func TestCapabilities(t *testing.T) {
	with := plan.Image{Capabilities: []string{"cap_net_bind_service"}}
	for _, test := range []struct {
		kind Kind
		img  plan.Image
		want []string
	}{
		{img: with, want: []string{"cap_sys_ptrace", "cap_dac_override"}},
		{img: plan.Image{}},
		{kind: Kind{Toolbox: true}, img: with},
	} {
		same(t, test.kind.capabilities(test.img), test.want)
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
