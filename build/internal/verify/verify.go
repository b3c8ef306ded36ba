// Package verify reads an image with everything that is stored about it, from a registry or an OCI
// layout, and checks it as a deployer would. It takes a reference and whose signature is expected,
// and returns a report. It writes nothing.
package verify

import (
	"cmp"
	"context"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/report"
)

// Expectation is what an image must prove.
type Expectation struct {
	signing.Expectation
	// Source is the repository that the provenance must name; any if empty.
	Source string
	// Within limits how long the signatures are read; zero means ten minutes.
	Within time.Duration
}

// Image checks an image, given as a tag or digest in a registry, or as the folder of an OCI layout.
// If a check failed, the error wraps [report.ErrRefused], and is returned with the report; any other
// error may come without one.
func Image(ctx context.Context, s *session.Session, ref string,
	want Expectation) (*report.Verification, error) {
	trust, err := signing.Expected(s, want.Expectation)
	if err != nil {
		return nil, err
	}
	policy := attest.Policy{Trust: trust, Source: want.Source}
	reading, read, done := store.Reading(ctx, "verify "+ref, want.Within)
	defer done()
	var m attest.Evidence
	var from ociread.Blobs
	unlisted := func() error { return nil }
	if dir, ok := store.LayoutOf(s, ref); ok {
		in := ociread.Layout(dir)
		m, err = store.LayoutEvidence(reading, dir, in)
		from, policy.Content = in, func(ctx context.Context, of v1.Descriptor) error {
			read() // the signatures
			return store.CheckContent(ctx, in, m.Find(of.Digest))
		}
	} else {
		var repo *registry.Repository
		var digest v1.Hash
		if repo, digest, err = store.Find(reading, s, ref, store.ToRead); err != nil {
			return nil, cmp.Or(context.Cause(reading), err)
		}
		defer repo.Close()
		unlisted = repo.Unlisted
		policy.Reference = store.ReferenceOf(repo, ref)
		m, err = store.Evidence(reading, repo, repo.Name().Name(), digest, nil)
		from = repo
	}
	policy.Binary = func(ctx context.Context, of v1.Descriptor) (string, error) {
		read()
		return store.Binary(ctx, from, of.Digest, m.Find(of.Digest))
	}
	if err != nil {
		return nil, err
	}
	report, err := attest.Verify(ctx, m, policy)
	if cause := context.Cause(reading); cause != nil {
		return nil, cause
	}
	if cause := unlisted(); err != nil && cause != nil {
		err = fmt.Errorf("%w; the missing documents may exist: %w", err, cause)
	}
	if len(report.Checks) == 0 {
		return nil, err // there is nothing to show
	}
	return &report, err
}
