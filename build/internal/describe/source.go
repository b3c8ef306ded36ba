package describe

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
	s := gitSource(p.Source, p.Revision)
	if p.Revision == "" && s.repository == "" {
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
		d.Annotations = &structpb.Struct{Fields: map[string]*structpb.Value{"dirty": structpb.NewBoolValue(
			true)}}
	}
	return d, nil
}

// place is where source is.
type place struct {
	origin.Source
	repository string // without credentials; empty if it has no public address
}

// gitSource returns where a repository is at a revision.
func gitSource(url, revision string) place {
	s := origin.GitSource(url, revision)
	return place{s, s.Repository}
}
