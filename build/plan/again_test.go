package plan_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// fill gives everything in a value something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint32:
		v.SetUint(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// A plan must be enough to build the same again: whatever an image of a plan gets, the
// Config that is made of it has.
func TestConfigOfPlan(t *testing.T) {
	var p plan.Plan
	fill(reflect.ValueOf(&p).Elem())
	p.Images[0].Name, p.Images[0].Repository, p.Images[0].LicenseTexts = "api", "ghcr.io/acme/api", false
	p.Platforms = []plan.Platform{{OS: "linux", Architecture: "arm", Variant: "v7"}}
	p.InputPlatforms = append(slices.Clone(p.Platforms), plan.Platform{OS: "linux", Architecture: "arm64"})
	p.Build.LDFlags = []string{"-s", "-w", "-X", "main.x=y"}
	c := p.Config()
	for field := range reflect.TypeFor[plan.Image]().Fields() {
		if slices.Contains([]string{"Repository", "Tags", "LicenseTexts", "Inputs", "Cgo"}, field.Name) {
			continue
		}
		want := reflect.ValueOf(p.Images[0]).FieldByName(field.Name).Interface()
		got := reflect.ValueOf(c.Images[0]).FieldByName(field.Name)
		if !got.IsValid() || !reflect.DeepEqual(got.Interface(), want) {
			t.Errorf("%s of an image gets lost on the way from a plan to its Config", field.Name)
		}
	}
	if c.Images[0].Cgo != plan.CgoOn || !c.Images[0].OmitLicenseTexts || c.Repository != "ghcr.io/acme" || !slices.Equal(c.Platforms, []string{"linux/arm/v7", "linux/arm64"}) || !c.StableDigests ||
		!slices.Equal(c.LDFlags, []string{"-X", "main.x=y"}) || c.Unstamped || c.Dir != "x" || c.Source != "x" || c.Compression != "x" || c.Debian.Suite != "x" {
		t.Errorf("the Config is %+v", c)
	}
}

func TestSettingsOfPlan(t *testing.T) {
	p := plan.Plan{SourceDateEpoch: 7, Toolchain: plan.Toolchain{Version: "go1.27.1", Mod: "vendor"}}
	want := []string{"GOTOOLCHAIN=go1.27.1", "GOEXPERIMENT=", "GOFIPS140=off", "GOFLAGS=-mod=vendor", "GOWORK=off", "SOURCE_DATE_EPOCH=7"}
	if got := p.Settings("/src/svc"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// With stable digests, an image has the date of its inputs, unless one was set for all.
	p.Images = []plan.Image{{Inputs: &plan.Inputs{SourceDateEpoch: 7}}}
	if got := p.Settings("/src/svc"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Images[0].Inputs.SourceDateEpoch = 5
	if got := p.Settings("/src/svc"); !slices.Equal(got, want[:5]) {
		t.Errorf("got %q, want %q", got, want[:5])
	}
	p.Toolchain.Work, p.Toolchain.FIPS140 = "../go.work", "v1.0.0"
	if got := p.Settings("/src/svc"); got[4] != "GOWORK=/src/go.work" || got[2] != "GOFIPS140=v1.0.0" {
		t.Errorf("got %q", got)
	}
}
