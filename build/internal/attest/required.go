package attest

import (
	"bytes"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Required is one signature or attestation that must be stored about a digest, in one form.
type Required struct {
	Subject v1.Hash
	Form    Form
	// Statement is the required statement. That of [SignatureType] is the image's signature.
	Statement Statement
}

// Require lists what must be stored about the subjects, in each of the forms (none means both):
// the signature of each, unless it is only attested, and each of its statements. The list
// depends only on the subjects, never on what is stored.
func Require(subjects []Subject, forms []Form) []Required {
	var all []Required
	for _, s := range subjects {
		for _, form := range written(forms) {
			for _, st := range s.said() {
				all = append(all, Required{Subject: s.Descriptor.Digest, Form: form, Statement: st})
			}
		}
	}
	return all
}

// said returns the statements about a subject, without duplicates; the first is its signature.
func (s Subject) said() []Statement {
	var all []Statement
	if !s.AttestOnly {
		all = append(all, Statement{PredicateType: SignatureType})
	}
	for _, st := range s.Statements {
		if !slices.ContainsFunc(all, func(a Statement) bool {
			return a.PredicateType == st.PredicateType && bytes.Equal(a.Predicate, st.Predicate)
		}) {
			all = append(all, st)
		}
	}
	return all
}

// written returns the forms; both if there are none.
func written(forms []Form) []Form {
	if len(forms) == 0 {
		return []Form{Bundles, Tags}
	}
	return forms
}

// satisfy returns for each required statement the finding that satisfies it, or nil. Each
// finding satisfies at most one. It must be valid, in the required form, and equal except for
// the metadata of the run, or sufficient (see [Statement.Suffices]).
func satisfy(required []Required, findings []*finding) []*finding {
	by := make([]*finding, len(required))
	taken := make([]bool, len(findings))
	// Usually the bytes are equal, and nothing has to be parsed.
	compact := make([][]byte, len(required))
	for i, r := range required {
		var b bytes.Buffer
		if json.Compact(&b, r.Statement.Predicate) == nil {
			compact[i] = b.Bytes()
		}
	}
	equal := func(i int, f *finding) bool {
		return compact[i] != nil && bytes.Equal(compact[i], f.statement.Predicate)
	}
	alike := func(i int, f *finding) bool {
		st := required[i].Statement
		return same(st.PredicateType, f.statement.Predicate, st.Predicate) || st.Suffices != nil &&
			st.Suffices(f.statement.Predicate)
	}
	for _, match := range []func(int, *finding) bool{equal, alike} {
		for j, f := range findings {
			if !f.ok() {
				continue
			}
			for i, r := range required {
				if by[i] == nil && !taken[j] && f.form == r.Form &&
					f.statement.PredicateType == r.Statement.PredicateType && match(i, f) {
					by[i], taken[j] = f, true
				}
			}
		}
	}
	return by
}
