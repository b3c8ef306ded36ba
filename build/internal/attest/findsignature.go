package attest

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// FindSignature finds an image signature by a trusted signer, in either form, in what is stored
// about a digest, and returns the signer. It ignores everything else. An error that is an
// [ErrRefused] says why no signature counts.
func FindSignature(ctx context.Context, s Stored, digest v1.Hash, t Trust) (signer string, err error) {
	if err := t.check(); err != nil {
		return "", err
	}
	var reasons []string
	for _, f := range s.findings(ctx, digest, t, t) {
		switch {
		case f.ok() && f.statement.PredicateType == SignatureType:
			return f.signer, nil
		case f.damaged != nil:
			reasons = append(reasons, oneLine(f.damaged))
		case f.statement != nil && f.statement.PredicateType != SignatureType:
		case f.foreign != nil:
			reasons = append(reasons, oneLine(f.foreign))
		case f.misplaced != nil:
			reasons = append(reasons, oneLine(f.misplaced))
		}
	}
	if len(reasons) == 0 {
		reasons = []string{"there is none"}
	}
	return "", fmt.Errorf("%w: %w", ErrRefused, errors.New(joinDistinct(reasons)))
}
