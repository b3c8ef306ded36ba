package ociread

import (
	"runtime"
	"strings"
	"testing"
)

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// What is too much is refused before it takes memory, and real ones are read.
func TestLimits(t *testing.T) {
	entry := `{"mediaType":"a/b","size":1,"digest":"` + digest + `"},`
	many := func(entry string, n int) string { return strings.TrimSuffix(strings.Repeat(entry, n), ",") }
	for name, c := range map[string]struct {
		raw, index, image string
	}{
		"as many as there may be":   {`{"manifests":[` + many(entry, 500) + `],"layers":[` + many(entry, 500) + `]}`, "", ""},
		"one more":                  {`{"manifests":[` + many(entry, 501) + `],"layers":[` + many(entry, 501) + `]}`, "more than 500 manifests", "more than 500 layers"},
		"a million":                 {`{"manifests":[` + many("{},", 600_000) + `],"layers":[` + many("{},", 600_000) + `]}`, "more than 500", "more than 500"},
		"in capitals":               {`{"Manifests":[` + many("{},", 600) + `],"LAYERS":[` + many("{},", 600) + `]}`, "more than 500", "more than 500"},
		"twice":                     {`{"manifests":[],"layers":[],"manifests":[` + many("{},", 600) + `],"layers":[` + many("{},", 600) + `]}`, "more than 500", "more than 500"},
		"too large":                 {`{"a":"` + strings.Repeat("a", MaxSize) + `"}`, "larger than 4 MiB", "larger than 4 MiB"},
		"no lists":                  {`{"manifests":{},"layers":{}}`, "not a list", "not a list"},
		"entries of another kind":   {`{"manifests":[1],"layers":["a"]}`, "cannot unmarshal", "cannot unmarshal"},
		"a digest that is none":     {`{"manifests":[{"digest":"x"}],"layers":[{"digest":"x"}]}`, "cannot parse hash", "cannot parse hash"},
		"nothing":                   {`{}`, "", ""},
		"null":                      {`{"manifests":null,"layers":null}`, "", ""},
		"not JSON":                  {`[`, "unexpected end", "unexpected end"},
		"a list in the first place": {`[]`, "cannot unmarshal", "cannot unmarshal"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, indexErr := ParseIndex([]byte(c.raw))
		_, imageErr := ParseImage([]byte(c.raw))
		runtime.ReadMemStats(&after)
		for _, got := range []struct {
			err  error
			want string
		}{{indexErr, c.index}, {imageErr, c.image}} {
			if got.want == "" && got.err != nil || got.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), got.want)) {
				t.Errorf("%s: error %v, want %q", name, got.err, got.want)
			}
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s takes %d MiB", name, used>>20)
		}
	}
}

// One garbled entry costs no other its place.
func TestListed(t *testing.T) {
	raw := []byte(`{"manifests":[7,{},{"digest":"sha256:no"},{"digest":"` + digest + `"},null,{"digest":"` + digest + `"}]}`)
	if all, err := Listed(raw, 100); err != nil || len(all) != 2 || all[0].Digest.String() != digest {
		t.Errorf("listed are %v, %v", all, err)
	}
	if all, err := Listed(raw, 4); err != nil || len(all) != 1 {
		t.Errorf("of the first four, %v, %v", all, err)
	}
}
