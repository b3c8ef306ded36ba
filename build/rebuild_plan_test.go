package build_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// stringsOf are all strings in a value, by where they are, with a function that sets each.
func stringsOf(v reflect.Value, where string, add func(where string, set func(string))) {
	switch v.Kind() {
	case reflect.String:
		add(where, v.SetString)
	case reflect.Pointer:
		if !v.IsNil() {
			stringsOf(v.Elem(), where, add)
		}
	case reflect.Slice:
		for i := range v.Len() {
			stringsOf(v.Index(i), fmt.Sprintf("%s[%d]", where, i), add)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := v.MapIndex(key)
			add(where+"[key]", func(s string) {
				v.SetMapIndex(key, reflect.Value{})
				v.SetMapIndex(reflect.ValueOf(s).Convert(key.Type()), value)
			})
			add(where+"[value]", func(s string) { v.SetMapIndex(key, reflect.ValueOf(s).Convert(v.Type().Elem())) })
		}
	case reflect.Struct:
		for i := range v.NumField() {
			stringsOf(v.Field(i), where+"."+v.Type().Field(i).Name, add)
		}
	}
}

// extend gives every slice, map and pointer of a plan that is empty something to spoil.
func extend(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		extend(v.Elem())
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			extend(v.Index(i))
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[plan.Platform]() {
			v.Set(reflect.ValueOf(plan.Platform{OS: "linux", Architecture: "amd64"}))
			return
		}
		for i := range v.NumField() {
			extend(v.Field(i))
		}
	}
}

func copyPlan(t testing.TB, p *plan.Plan) *plan.Plan {
	t.Helper()
	var q plan.Plan
	ok(t, json.Unmarshal(must(json.Marshal(p)), &q))
	return &q
}

// Every string of a plan set to what makes a program do something else: a rebuild refuses
// it, or runs nothing but git and go, and writes nothing outside of the clone.
func TestHostilePlan(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	clone := module(t, "hello")
	outside, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"git", "go"} {
		ok(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nPATH="+os.Getenv("PATH")+" exec "+must(exec.LookPath(name))+" \"$@\"\n"), 0o755))
	}
	mark := filepath.Join(outside, "mark")
	ok(t, os.WriteFile(mark, []byte("#!/bin/sh\ntouch "+outside+"/ran\n"), 0o755))
	flags := filepath.Join(outside, "flags")
	ok(t, os.WriteFile(flags, []byte("-o="+outside+"/out\n"), 0o644))
	hostile := []string{
		"-o=" + outside + "/out", "-toolexec=" + mark, "--upload-pack=" + mark, "@" + flags, `{{""}}-o=` + outside + "/out",
		"../../../../../../../.." + outside + "/out", outside + "/out", "ext::" + mark, "$(" + mark + ")", "`" + mark + "`", "; " + mark, "| " + mark,
		"x\n-o=" + outside + "/out", "x\r-toolexec=" + mark, "x\x00", `x' " -o=` + outside + `/out "`, "go1.26.8-/../../../../../../../.." + mark,
		"file://" + outside, "oci:" + outside, "-mod=mod -toolexec=" + mark, "",
	}
	untouched := func(what string) {
		t.Helper()
		var names []string
		for _, e := range must(os.ReadDir(outside)) {
			names = append(names, e.Name())
		}
		if !slices.Equal(names, []string{"flags", "mark"}) {
			t.Fatalf("%s: outside of the clone there is now %q", what, names)
		}
	}
	env := func(p *plan.Plan) []string {
		dir := filepath.Join(clone, filepath.FromSlash(p.Workdir), filepath.FromSlash(p.Module.Dir))
		return slices.Concat(environment(), []string{"PATH=" + bin, "GOFLAGS=", "GOPROXY=off"}, p.Settings(dir))
	}
	of := func(p *plan.Plan) settings {
		o := options(t, filepath.Join(clone, filepath.FromSlash(p.Workdir)), func(o *settings) { o.FromPlan = true })
		o.Config, o.Env, o.Platforms = p.Config(), env(p), nil
		for _, platform := range p.Platforms {
			o.Platforms = append(o.Platforms, platform.String())
		}
		return o
	}
	good := must(build.Plan(t.Context(), options(t, clone).Options))
	good.Platforms = good.Platforms[:1]
	ok(t, reproduce.CheckPlan(good, nil))
	_, err := build.Plan(t.Context(), of(good).Options)
	ok(t, err)

	// What a plan can have besides: everything once, to find the fields.
	full := copyPlan(t, good)
	full.Images[0].Runtime = build.Runtime{
		Env: []string{"A=b"}, Args: []string{"serve"}, Ports: []string{"80"}, Labels: map[string]string{"a": "b"}, WorkingDir: "/", StopSignal: "SIGTERM", User: "1",
		Healthcheck: &build.Healthcheck{Command: []string{"check"}, Interval: 30e9},
	}
	full.Images[0].Assets = []build.Asset{{Source: "main.go", Target: "/main.go", Mode: 0o644, Capabilities: []string{"cap_chown"}}}
	full.Images[0].Users = []build.User{{Name: "app", UID: 7}}
	full.Images[0].Include, full.Images[0].Exclude = []string{"tmp"}, []string{"zoneinfo"}
	full.Images[0].Capabilities, full.Images[0].CACertificates = []string{"cap_chown"}, []string{"ca.pem"}
	full.Build.Tags = []string{"netgo"}
	extend(reflect.ValueOf(full).Elem())
	var fields []string
	stringsOf(reflect.ValueOf(full).Elem(), "plan", func(where string, _ func(string)) { fields = append(fields, where) })
	if len(fields) < 60 {
		t.Fatalf("a plan has the strings %q", fields)
	}
	base := of(copyPlan(t, good))
	refusedHere, resolved, ignored := 0, 0, 0
	all := testtool.Part(t, "a minute")
	passed := map[string][]string{} // fields by value
	for _, field := range fields {
		for i, value := range hostile {
			p := copyPlan(t, good)
			if !has(p, field) { // as part of what good lacks
				partly(t, p, full, field)
			}
			stringsOf(reflect.ValueOf(p).Elem(), "plan", func(where string, set func(string)) {
				if where == field {
					set(value)
				}
			})
			what := fmt.Sprintf("%s = %q", field, value)
			if err := reproduce.CheckPlan(p, nil); err != nil {
				refusedHere++
				continue
			}
			o := of(p)
			if reflect.DeepEqual(o, base) {
				ignored++ // it reaches nothing
				continue
			}
			if i%10 != len(field)%10 && !all {
				continue
			}
			if _, err := build.Plan(t.Context(), o.Options); err == nil {
				resolved++
				passed[value] = append(passed[value], field)
			}
			untouched(what)
		}
	}
	t.Logf("%d strings, %d values: %d refused, %d without effect, %d resolved", len(fields), len(hostile), refusedHere, ignored, resolved)
	if refusedHere == 0 || ignored == 0 || resolved == 0 {
		t.Error("the test tries nothing")
	}

	t.Run("build", func(t *testing.T) {
		testtool.OnRequest(t, "a minute")
		for value, fields := range passed {
			for _, field := range fields {
				p := copyPlan(t, good)
				if !has(p, field) {
					partly(t, p, full, field)
				}
				stringsOf(reflect.ValueOf(p).Elem(), "plan", func(where string, set func(string)) {
					if where == field {
						set(value)
					}
				})
				o := of(p)
				_, err := build.Image(t.Context(), o.image())
				t.Logf("%s = %q: %v", field, value, err)
				untouched(field)
			}
		}
	})
}

// has says whether a plan has the field.
func has(p *plan.Plan, field string) (found bool) {
	stringsOf(reflect.ValueOf(p).Elem(), "plan", func(where string, _ func(string)) { found = found || where == field })
	return found
}

// partly gives a plan the part of another plan's that a field is in.
func partly(t testing.TB, p, full *plan.Plan, field string) {
	to, from := reflect.ValueOf(p).Elem(), reflect.ValueOf(copyPlan(t, full)).Elem()
	name, inImage := strings.CutPrefix(field, "plan.Images[0].")
	if inImage {
		to, from = to.FieldByName("Images").Index(0), from.FieldByName("Images").Index(0)
	} else {
		name = strings.TrimPrefix(field, "plan.")
	}
	name = strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '[' })[0]
	to.FieldByName(name).Set(from.FieldByName(name))
}
