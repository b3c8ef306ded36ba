package predicate

import (
	"fmt"
	"regexp"

	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/plan"
)

// commit matches the full hash of a commit.
var commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// sourceDescriptor returns the source's commit, SHA-1 or SHA-256; nil if neither commit nor
// repository is known.
func sourceDescriptor(p *plan.Plan) (*intoto.ResourceDescriptor, error) {
	s := origin.GitSource(p.Source, p.Revision)
	if p.Revision == "" && s.Repository == "" {
		return nil, nil
	}
	d := &intoto.ResourceDescriptor{Name: "source", Uri: s.Location()}
	if p.Revision != "" {
		if !commit.MatchString(p.Revision) {
			return nil, fmt.Errorf("revision %q is not the full hash of a commit", p.Revision)
		}
		d.Digest = map[string]string{"gitCommit": p.Revision}
	}
	if p.Dirty { // the digest does not cover all changes
		d.Annotations = &structpb.Struct{Fields: map[string]*structpb.Value{"dirty": structpb.NewBoolValue(true)}}
	}
	return d, nil
}
