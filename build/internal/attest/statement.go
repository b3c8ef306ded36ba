package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The predicate types that describe a release. A bundle of [SignatureType] is an image's
// signature; cosign gives it no predicate.
const (
	SignatureType  = "https://sigstore.dev/cosign/sign/v1"
	SPDXType       = "https://spdx.dev/Document"
	CycloneDXType  = "https://cyclonedx.org/bom"
	ProvenanceType = "https://slsa.dev/provenance/v1"
	TestResultType = "https://in-toto.io/attestation/test-result/v0.1"
	// SummaryType is a verification summary (SLSA VSA v1).
	SummaryType = "https://slsa.dev/verification_summary/v1"
	// ReleaseType says which version a digest is: see [Released].
	ReleaseType = "https://github.com/thimble-build/thimble/blob/main/docs/verifying.md#release-v1"
)

const statementType = "https://in-toto.io/Statement/v1"

// PayloadType is the type of a statement in an envelope.
const PayloadType = "application/vnd.in-toto+json"

// Statement is a statement about a subject: a predicate, which is JSON, and its type.
type Statement struct {
	PredicateType string
	Predicate     json.RawMessage
	// Suffices reports whether a stored predicate is sufficient instead of this one, although
	// it differs in more than the metadata of the run; nil: never.
	Suffices func(stored json.RawMessage) bool
}

// inToto is an in-toto statement, v1 or v0.1, which differ only in their type.
type inToto struct {
	Type          string          `json:"_type"`
	Subject       resources       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate,omitempty"`
}

type resource struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

// resources are at most [maxSubjects].
type resources []resource

func (r *resources) UnmarshalJSON(b []byte) error {
	if len(b) > 1<<20 {
		return errors.New("its subjects are larger than 1 MiB")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return errors.New("its subjects are not a list")
	}
	for *r = nil; d.More(); {
		if len(*r) == maxSubjects {
			return fmt.Errorf("it has more than %d subjects", maxSubjects)
		}
		var one resource
		if err := d.Decode(&one); err != nil {
			return err
		}
		*r = append(*r, one)
	}
	return nil
}

// encode returns the statement about a digest, as it is signed.
func (s Statement) encode(name string, digest v1.Hash) ([]byte, error) {
	st := inToto{
		Type:          statementType,
		Subject:       resources{{Name: name, Digest: map[string]string{digest.Algorithm: digest.Hex}}},
		PredicateType: s.PredicateType,
	}
	if len(s.Predicate) > 0 {
		var b bytes.Buffer
		if err := json.Compact(&b, s.Predicate); err != nil {
			return nil, fmt.Errorf("predicate of type %s is not JSON: %w", s.PredicateType, err)
		}
		st.Predicate = b.Bytes()
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(st); err != nil {
		return nil, fmt.Errorf("encode statement: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func decodeStatement(payload []byte) (*inToto, error) {
	var st inToto
	if err := json.Unmarshal(payload, &st); err != nil {
		return nil, fmt.Errorf("the payload is not an in-toto statement: %w", err)
	}
	if st.Type != statementType && st.Type != "https://in-toto.io/Statement/v0.1" {
		return nil, fmt.Errorf("the payload is not an in-toto statement, but %q", st.Type)
	}
	if len(st.Subject) == 0 {
		return nil, errors.New("the statement has no subject")
	}
	return &st, nil
}

// about reports whether the statement has this digest as a subject.
func (s *inToto) about(digest v1.Hash) bool {
	for _, r := range s.Subject {
		if r.Digest[digest.Algorithm] == digest.Hex {
			return true
		}
	}
	return false
}

// same reports whether two predicates of one type are equal except for the metadata of the run:
// the invocation and times of a provenance, the time of a summary.
func same(predicateType string, a, b json.RawMessage) bool {
	x, errX := withoutRun(predicateType, a)
	y, errY := withoutRun(predicateType, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// withoutRun returns the predicate with sorted keys, without the run's metadata.
func withoutRun(predicateType string, predicate json.RawMessage) ([]byte, error) {
	if len(predicate) == 0 {
		predicate = json.RawMessage("{}")
	}
	d := json.NewDecoder(bytes.NewReader(predicate))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if v == nil {
		v = map[string]any{} // protobuf's JSON writes an absent predicate as null
	}
	if m, ok := v.(map[string]any); ok && predicateType == ProvenanceType {
		if details, ok := m["runDetails"].(map[string]any); ok {
			if metadata, ok := details["metadata"].(map[string]any); ok {
				for _, key := range []string{"invocationId", "startedOn", "finishedOn"} {
					delete(metadata, key)
				}
				if len(metadata) == 0 {
					delete(details, "metadata")
				}
			}
		}
	}
	if m, ok := v.(map[string]any); ok && predicateType == SummaryType {
		delete(m, "timeVerified")
	}
	return json.Marshal(v)
}

// shortNames are the names of the predicate types in reports.
var shortNames = map[string]string{
	SignatureType:  "signature",
	SPDXType:       "spdx",
	CycloneDXType:  "cyclonedx",
	ProvenanceType: "provenance",
	TestResultType: "test-result",
	SummaryType:    "verification-summary",
	ReleaseType:    "release",
}

func checkName(predicateType string) string {
	if short, ok := shortNames[predicateType]; ok {
		return short
	}
	return predicateType
}
