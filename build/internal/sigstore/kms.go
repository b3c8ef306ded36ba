package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// providers are the key management services that sigstore supports, with the package of each.
var providers = map[string]string{
	"awskms":     "github.com/sigstore/sigstore/pkg/signature/kms/aws",
	"azurekms":   "github.com/sigstore/sigstore/pkg/signature/kms/azure",
	"gcpkms":     "github.com/sigstore/sigstore/pkg/signature/kms/gcp",
	"hashivault": "github.com/sigstore/sigstore/pkg/signature/kms/hashivault",
}

// ManagedKey opens a key of a key management service.
func (Library) ManagedKey(ctx context.Context, ref string) (*attest.Key, error) {
	scheme, _, _ := strings.Cut(ref, "://")
	pkg, known := providers[scheme]
	linked := false
	for _, p := range kms.SupportedProviders() {
		linked = linked || strings.HasPrefix(ref, p)
	}
	switch {
	// kms.Get would run a program named after an unknown scheme.
	case !known && !linked:
		return nil, fmt.Errorf(
			"unknown scheme %q; supported are a file's path, env://, awskms://, azurekms://, gcpkms:// and "+
				"hashivault://", scheme)
	case !linked:
		return nil, fmt.Errorf(
			"the provider of %s:// is not linked; add this import to magefiles/kms.go: import _ %q", scheme,
			pkg)
	}
	sv, err := kms.Get(ctx, ref, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	key, err := newKey(sv)
	if err == nil {
		err = probe(ctx, sv, key.Public().Key)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// probe lets the key of a service sign something, and verifies it with the public key like
// cosign. A service may use a different hash or padding.
func probe(ctx context.Context, sv signature.Signer, public crypto.PublicKey) error {
	const message = "thimble: does the public half verify this?"
	sig, err := sv.SignMessage(bytes.NewReader([]byte(message)), options.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("sign a probe: %w", err)
	}
	verifier, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		return err
	}
	if verifier.VerifySignature(bytes.NewReader(sig), bytes.NewReader([]byte(message))) != nil {
		return errors.New(
			"its signature does not verify as in cosign, with its public half, SHA-256 and, for RSA, PKCS " +
				"#1 v1.5; use a key for that algorithm")
	}
	return nil
}
