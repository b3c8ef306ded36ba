package describe

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/types/known/structpb"
)

// Predicate types of the attestations of a release, besides cosign's.
const (
	ProvenanceType = "https://slsa.dev/provenance/v1"
	TestResultType = "https://in-toto.io/attestation/test-result/v0.1"
	SPDXType       = "https://spdx.dev/Document"
	CycloneDXType  = "https://cyclonedx.org/bom"
)

// Subject is an artifact that a statement describes.
type Subject struct {
	// Name is the image's repository, or a file's name.
	Name   string
	Digest v1.Hash
}

// Statement returns an in-toto Statement v1 about the subjects, which it sorts. The predicate is
// any JSON object. The same input in any order gives the same bytes.
func Statement(subjects []Subject, predicateType string, predicate []byte) ([]byte, error) {
	subjects = slices.Clone(subjects)
	slices.SortFunc(subjects, func(a, b Subject) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Digest.String(), b.Digest.String())
	})
	// This predicate is only for the check; the real one is inserted unchanged, because a message
	// has only floating-point numbers.
	s := &intoto.Statement{Type: intoto.StatementTypeUri, PredicateType: predicateType, Predicate: &structpb.Struct{}}
	for _, subject := range slices.Compact(subjects) {
		if subject.Name == "" || subject.Digest == (v1.Hash{}) {
			return nil, fmt.Errorf("write the statement: subject %q with digest %q: both are needed", subject.Name, subject.Digest)
		}
		s.Subject = append(s.Subject, &intoto.ResourceDescriptor{
			Name: subject.Name, Digest: map[string]string{subject.Digest.Algorithm: subject.Digest.Hex},
		})
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	content, err := readObject(predicate)
	if err != nil {
		return nil, fmt.Errorf("write the statement: predicate: %w", err)
	}
	s.Predicate = nil
	head, err := canonicalMessage(s)
	if err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	whole, err := readObject(head)
	if err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	whole["predicate"] = content
	return canonicalValue(whole)
}

// SameBuild says whether two predicates of one type are equal except for the metadata of the run:
// the invocation id and its times (SLSA v1 runDetails.metadata). If they are, the attestation
// already exists. White space and the order of keys are ignored.
func SameBuild(a, b []byte) (bool, error) {
	first, err := withoutRun(a)
	if err != nil {
		return false, fmt.Errorf("compare predicates: %w", err)
	}
	second, err := withoutRun(b)
	if err != nil {
		return false, fmt.Errorf("compare predicates: %w", err)
	}
	return first == second, nil
}

func withoutRun(predicate []byte) (string, error) {
	v, err := readObject(predicate)
	if err != nil {
		return "", fmt.Errorf("read the predicate: %w", err)
	}
	if run, ok := v["runDetails"].(map[string]any); ok {
		delete(run, "metadata")
	}
	out, err := canonicalValue(v)
	return string(out), err
}
