package describe

import (
	"fmt"
	"regexp"

	"github.com/thimble-build/thimble/build/internal/origin"
	"github.com/thimble-build/thimble/build/plan"
)

// commit matches the full hash of a commit.
var commit = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// dirtyTree is the annotation of a source that differs from its commit.
type dirtyTree struct {
	Dirty bool `json:"dirty"`
}

// sourceDescriptor returns the source's commit, SHA-1 or SHA-256; nil if neither commit nor
// repository is known.
func sourceDescriptor(p *plan.Plan) (*descriptor, error) {
	s := gitSource(p.Source, p.Revision)
	if p.Revision == "" && s.repository == "" {
		return nil, nil
	}
	d := &descriptor{Name: "source", URI: s.Location()}
	if p.Revision != "" {
		if !commit.MatchString(p.Revision) {
			return nil, fmt.Errorf("revision %q is not the full hash of a commit", p.Revision)
		}
		d.Digest = map[string]string{"gitCommit": p.Revision}
	}
	if p.Dirty { // the digest does not cover all changes
		d.Annotations = dirtyTree{true}
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
