package attest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Of documents that are large, as many are looked at at once as may be in memory.
func TestFlight(t *testing.T) {
	var now, most atomic.Int64
	var looks []look
	for i := range 40 {
		looks = append(looks, look{maxBundle - 1, func() *finding {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return &finding{source: fmt.Sprint(i), foreign: errors.New(strings.Repeat("x", 1<<20)),
				statement: &inToto{PredicateType: SPDXType, Predicate: make([]byte, 1<<20)}}
		}})
	}
	all := newFlight().look(t.Context(), looks)
	if most.Load() > maxInFlight/maxBundle || len(all) != 40 {
		t.Errorf("%d were looked at at once, %d found", most.Load(), len(all))
	}
	for i, f := range all {
		if f.source != fmt.Sprint(i) || len(f.statement.Predicate) > 0 || len(f.foreign.Error()) > maxReason+3 || f.statement.PredicateType != SPDXType {
			t.Fatalf("finding %d is of %s, and keeps %d and %d bytes", i, f.source, len(f.statement.Predicate), len(f.foreign.Error()))
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	if all := newFlight().look(ctx, looks[:3]); len(all) != 3 || !errors.Is(all[0].damaged, why) {
		t.Errorf("after its end there are %v", all)
	}
}

// The same said by the same signer counts once, and it is always the first.
func TestSaidTwice(t *testing.T) {
	says := func(source, signer, predicate string) look {
		return look{0, func() *finding {
			return &finding{form: Bundles, source: source, signer: signer, statement: &inToto{PredicateType: SPDXType, Predicate: []byte(predicate)}}
		}}
	}
	looks := []look{says("a", "x", "1"), says("b", "x", "1"), says("c", "y", "1"), says("d", "x", "2"), says("e", "x", "1"), says("f", "y", "1")}
	for range 50 {
		var sources []string
		for _, f := range newFlight().look(t.Context(), looks) {
			sources = append(sources, f.source)
		}
		if want := []string{"a", "c", "d"}; !slices.Equal(sources, want) {
			t.Fatalf("found are %v, want %v", sources, want)
		}
	}
}

// Documents of a few MiB that would be hundreds in memory are refused before.
func TestBombsOfJSON(t *testing.T) {
	many := func(s string) string { return strings.TrimSuffix(strings.Repeat(s+",", 200_000), ",") }
	for name, text := range map[string]string{
		"log entries":  `{"verificationMaterial":{"tlogEntries":[` + many("{}") + `]}}`,
		"hashes":       `{"verificationMaterial":{"tlogEntries":[{"inclusionProof":{"hashes":[` + many(`""`) + `]}}]}}`,
		"signatures":   `{"dsseEnvelope":{"signatures":[` + many("{}") + `]}}`,
		"lists":        strings.Repeat("[", 200_000),
		"certificates": `{"verificationMaterial":{"x509CertificateChain":{"certificates":[` + many("{}") + `]}}}`,
	} {
		if _, err := decodeBundle([]byte(text)); err == nil || !strings.Contains(err.Error(), "more than 10000 values") {
			t.Errorf("%s: %v", name, err)
		}
	}
	subject := `{"name":"a","digest":{"sha256":"00"}}`
	for name, c := range map[string]struct{ subjects, want string }{
		"one":         {"[" + subject + "]", ""},
		"many":        {"[" + many("{}") + "]", "more than 1000 subjects"},
		"a large one": {`[{"name":"` + strings.Repeat("a", 2<<20) + `"}]`, "larger than 1 MiB"},
		"none":        {"[]", "no subject"},
		"not a list":  {"{}", "not a list"},
		"null":        {"null", "not a list"},
		"no subjects": {"[1]", "cannot unmarshal"},
	} {
		_, err := decodeStatement([]byte(`{"_type":"` + statementType + `","predicateType":"x","subject":` + c.subjects + `}`))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
