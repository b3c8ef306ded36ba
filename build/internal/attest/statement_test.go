package attest

import "testing"

// TestSame checks that a predicate counts as stored already if only the metadata of the run differs.
func TestSame(t *testing.T) {
	const build = `{"buildDefinition":{"a":1,"b":9007199254740993},"runDetails":{"builder":{"id":"x"},` +
		`"metadata":{"invocationId":"1","startedOn":"2026-01-02T03:04:05Z","finishedOn":"2026-01-02T03:05:05Z"}}}`
	for name, test := range map[string]struct {
		predicateType, other string
		same                 bool
	}{
		"itself": {ProvenanceType, build, true},
		"white space and order": {ProvenanceType, `{ "runDetails": {"metadata":{"invocationId":"1","startedOn":"2026-01-02T03:04:05Z",
			"finishedOn":"2026-01-02T03:05:05Z"}, "builder": {"id":"x"}}, "buildDefinition": {"b":9007199254740993, "a":1} }`, true},
		"another run": {ProvenanceType, `{"buildDefinition":{"a":1,"b":9007199254740993},"runDetails":{"builder":{"id":"x"},` +
			`"metadata":{"invocationId":"2","startedOn":"2027-01-02T03:04:05Z"}}}`, true},
		"no metadata":       {ProvenanceType, `{"buildDefinition":{"a":1,"b":9007199254740993},"runDetails":{"builder":{"id":"x"}}}`, true},
		"another builder":   {ProvenanceType, `{"buildDefinition":{"a":1,"b":9007199254740993},"runDetails":{"builder":{"id":"y"}}}`, false},
		"another number":    {ProvenanceType, `{"buildDefinition":{"a":1,"b":9007199254740992},"runDetails":{"builder":{"id":"x"}}}`, false},
		"another type":      {SPDXType, `{"buildDefinition":{"a":1,"b":9007199254740993},"runDetails":{"builder":{"id":"x"}}}`, false},
		"another predicate": {ProvenanceType, `{}`, false},
		"a cut predicate":   {ProvenanceType, build[:40], false},
	} {
		if got := same(test.predicateType, []byte(build), []byte(test.other)); got != test.same {
			t.Errorf("%s: same is %t", name, got)
		}
		if got := same(test.predicateType, []byte(test.other), []byte(build)); got != test.same {
			t.Errorf("%s, the other way round: same is %t", name, got)
		}
	}
}
