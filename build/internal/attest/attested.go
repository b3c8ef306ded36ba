package attest

import (
	"context"
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Attested is a verified statement: an expected signer has signed it, and it is about the
// requested digest.
type Attested struct {
	PredicateType string
	Predicate     json.RawMessage
	Signer        string
	Form          Form
	// Digest is that of the document with the statement: a Sigstore bundle, or a DSSE envelope.
	Digest v1.Hash
}

// Attested returns the verified statements about a digest, of one type or, if predicateType is
// empty, of all types. reasons say why the other statements of that type do not count.
func (s Stored) Attested(ctx context.Context, digest v1.Hash, trust Trust,
	predicateType string) (all []Attested, reasons []string, err error) {
	if err := trust.check(); err != nil {
		return nil, nil, err
	}
	for _, f := range s.findings(ctx, digest, trust, trust) {
		switch {
		case f.damaged != nil:
			reasons = append(reasons, oneLine(f.damaged))
		case f.statement == nil: // an image's signature by another signer
		case f.statement.PredicateType != predicateType && predicateType != "":
		case f.foreign != nil:
			reasons = append(reasons, oneLine(f.foreign))
		case f.misplaced != nil:
			reasons = append(reasons, oneLine(f.misplaced))
		case f.statement.PredicateType == SignatureType:
		default:
			all = append(all, Attested{
				PredicateType: f.statement.PredicateType, Predicate: f.statement.Predicate, Signer: f.signer,
				Form: f.form, Digest: f.document,
			})
		}
	}
	return all, reasons, nil
}
