package describe

import (
	"bytes"
	"encoding/json"
	"strings"
)

// SameInputs says whether two provenances of one image have the same inputs and build settings,
// although the commits differ: with Config.StableDigests, a commit that changes no input gives
// the same image. The comparison ignores the commit and the values derived from it, the other
// images of the plan, and who started the run.
func SameInputs(a, b []byte) bool {
	x, okX := inputsOnly(a)
	y, okY := inputsOnly(b)
	return okX && okY && bytes.Equal(x, y)
}

// fields returns the JSON object at a path of nested objects.
func fields(v any, path ...string) map[string]any {
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	return m
}

// inputsOnly returns a provenance without the values that change with every commit. ok is false
// if the provenance lists no inputs, or inputs that are in no commit.
func inputsOnly(predicate []byte) (rest []byte, ok bool) {
	var p map[string]any
	d := json.NewDecoder(bytes.NewReader(predicate))
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		return nil, false
	}
	external := fields(p, "buildDefinition", "externalParameters")
	internal := fields(p, "buildDefinition", "internalParameters")
	plan := fields(internal, "plan")
	images, _ := plan["images"].([]any)
	var image map[string]any
	for _, i := range images {
		if i := fields(i); i != nil && i["name"] == internal["image"] {
			image = i
		}
	}
	inputs := fields(image, "inputs")
	if external == nil || inputs == nil || inputs["revision"] == "" || inputs["dirtyFile"] != nil {
		return nil, false
	}
	delete(image, "tags")
	delete(plan, "images")
	internal["image"] = image
	for _, name := range []string{"version", "images"} { // the plan has the resolved values
		delete(external, name)
	}
	for _, name := range []string{"revision", "version", "sourceDateEpoch", "dirty", "dirtyFile"} {
		delete(plan, name)
	}
	if image["base"] == "scratch" {
		delete(plan, "lock") // of other images
	}
	definition := fields(p, "buildDefinition")
	all, _ := definition["resolvedDependencies"].([]any)
	dependencies := []any{}
	for _, d := range all {
		if fields(d)["name"] != "source" {
			dependencies = append(dependencies, d)
		}
	}
	definition["resolvedDependencies"] = dependencies
	details := fields(p, "runDetails")
	delete(details, "metadata")
	if builder := fields(details, "builder"); builder != nil {
		id, _ := builder["id"].(string)
		builder["id"], _, _ = strings.Cut(id, "@") // a workflow's ref is the release's tag
	}
	rest, err := json.Marshal(p)
	return rest, err == nil
}

// SameOutcome says whether two test results have the same outcome, and it is not a failure. Tests
// of other images may differ.
func SameOutcome(a, b []byte) bool {
	type outcome struct {
		Result        string            `json:"result"`
		Configuration []json.RawMessage `json:"configuration"`
	}
	var x, y outcome
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || len(x.Configuration) == 0 ||
		len(y.Configuration) == 0 {
		return false
	}
	// The last descriptor is the `go test` command; the first may be the source.
	how := func(o outcome) string {
		var c bytes.Buffer
		if json.Compact(&c, o.Configuration[len(o.Configuration)-1]) != nil {
			return ""
		}
		return c.String()
	}
	return x.Result == y.Result && x.Result != Failed && how(x) == how(y)
}
