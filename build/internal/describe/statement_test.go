package describe

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

func hash(b byte) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(string(b), 64)}
}

func TestStatement(t *testing.T) {
	a, b, c := Subject{"acme/api", hash('a')}, Subject{"acme/api", hash('b')}, Subject{"acme/web", hash('a')}
	const predicate = ` { "z" : 9007199254740993, "a": "<&>", "m": [ 1.50, null ] } `
	const want = `{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":"<&>","m":[1.50,null],"z":9007199254740993},"predicateType":"https://slsa.dev/provenance/v1",` +
		`"subject":[{"digest":{"sha256":"AAAA"},"name":"acme/api"},{"digest":{"sha256":"BBBB"},"name":"acme/api"},{"digest":{"sha256":"AAAA"},"name":"acme/web"}]}`
	for _, subjects := range [][]Subject{{a, b, c}, {c, b, a}, {b, c, a, a, c}} {
		got, err := Statement(subjects, ProvenanceType, []byte(predicate))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.NewReplacer("AAAA", a.Digest.Hex, "BBBB", b.Digest.Hex).Replace(want); string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var s intoto.Statement
		if err := protojson.Unmarshal(got, &s); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestStatementOfEverything puts each document into a statement and takes it out.
func TestStatementOfEverything(t *testing.T) {
	result, err := TestResult(TestInput{Plan: small().Plan})
	if err != nil {
		t.Fatal(err)
	}
	for predicateType, predicate := range map[string][]byte{
		ProvenanceType: provenance(t, released()), TestResultType: result,
		SPDXType: write(t, SPDX, small()), CycloneDXType: write(t, CycloneDX, small()),
	} {
		b, err := Statement([]Subject{{"acme/api", hash('a')}}, predicateType, predicate)
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			PredicateType string
			Predicate     json.RawMessage
		}
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		if same, err := SameBuild(s.Predicate, predicate); err != nil || !same || s.PredicateType != predicateType {
			t.Errorf("%s changes in a statement: %v", predicateType, err)
		}
	}
}

func TestStatementRefused(t *testing.T) {
	one := []Subject{{"acme/api", hash('a')}}
	for name, tt := range map[string]struct {
		subjects                       []Subject
		predicateType, predicate, want string
	}{
		"no subject":      {nil, ProvenanceType, "{}", "at least one subject"},
		"no name":         {[]Subject{{"", hash('a')}}, ProvenanceType, "{}", "both are needed"},
		"no digest":       {[]Subject{{Name: "acme/api"}}, ProvenanceType, "{}", "both are needed"},
		"short digest":    {[]Subject{{"acme/api", v1.Hash{Algorithm: "sha256", Hex: "abcd"}}}, ProvenanceType, "{}", "incorrect length"},
		"no type":         {one, "", "{}", "predicate type required"},
		"no predicate":    {one, ProvenanceType, "", "EOF"},
		"a list":          {one, ProvenanceType, "[]", "cannot unmarshal array"},
		"null":            {one, ProvenanceType, "null", "not a JSON object"},
		"two predicates":  {one, ProvenanceType, "{}{}", "behind the JSON value"},
		"a cut predicate": {one, ProvenanceType, `{"a":`, "unexpected EOF"},
	} {
		if _, err := Statement(tt.subjects, tt.predicateType, []byte(tt.predicate)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got the error %v, want %q", name, err, tt.want)
		}
	}
}

func TestSameBuild(t *testing.T) {
	base := provenance(t, released())
	changed := func(change func(*ProvenanceInput)) []byte {
		in := released()
		change(&in)
		return provenance(t, in)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, base, "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		other []byte
		same  bool
	}{
		"itself":      {base, true},
		"white space": {indented.Bytes(), true},
		"another run": {changed(func(in *ProvenanceInput) {
			in.Builder.InvocationID, in.Started, in.Finished = "other", in.Started.Add(time.Hour), in.Finished.Add(time.Hour)
		}), true},
		"no metadata": {changed(func(in *ProvenanceInput) {
			in.Builder.InvocationID, in.Started, in.Finished = "", time.Time{}, time.Time{}
		}), true},
		"another builder":   {changed(func(in *ProvenanceInput) { in.Builder.ID = LocalBuilder }), false},
		"another kit":       {changed(func(in *ProvenanceInput) { in.Plan.Kit.Version = "v0.2.0" }), false},
		"another commit":    {changed(func(in *ProvenanceInput) { in.Plan.Revision = strings.Repeat("f", 40) }), false},
		"a dirty tree":      {changed(func(in *ProvenanceInput) { in.Plan.Dirty = true }), false},
		"an override":       {changed(func(in *ProvenanceInput) { in.Overrides.FailingTests = true }), false},
		"another module":    {changed(func(in *ProvenanceInput) { in.Images[0].Modules[0].Sum = sumOf(9) }), false},
		"one platform less": {changed(func(in *ProvenanceInput) { in.Images = in.Images[:1] }), false},
		"another parameter": {changed(func(in *ProvenanceInput) { in.Config.LDFlags = nil }), false},
		"another document":  {[]byte("{}"), false},
	} {
		for _, pair := range [][2][]byte{{base, tt.other}, {tt.other, base}} {
			if same, err := SameBuild(pair[0], pair[1]); err != nil || same != tt.same {
				t.Errorf("%s: got %t, %v", name, same, err)
			}
		}
	}
	for _, broken := range []string{"", "{", "[]", "null", `{"runDetails":{}} x`} {
		if _, err := SameBuild(base, []byte(broken)); err == nil {
			t.Errorf("%q is taken for a predicate", broken)
		}
		if _, err := SameBuild([]byte(broken), base); err == nil {
			t.Errorf("%q is taken for a predicate", broken)
		}
	}
}
