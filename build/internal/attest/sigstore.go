package attest

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Sigstore is what needs Sigstore's libraries: keys, signatures and certificates. This package
// decides what they are of, and which of them count. The only implementation is package sigstore,
// which most of a program's compile time is for, so that a program links it only if it signs or
// verifies.
type Sigstore interface {
	// GenerateKey makes a key pair: see [GenerateKey].
	GenerateKey(password []byte) (private, public []byte, err error)
	DevelopmentKey() (*Key, error)
	// DecryptKey opens a private key in cosign's format, ManagedKey one of a key management
	// service.
	DecryptKey(pem []byte, password func() ([]byte, error)) (*Key, error)
	ManagedKey(ctx context.Context, ref string) (*Key, error)
	ParsePublicKey(pem []byte) (*PublicKey, error)
	// ParseTrustedRoot reads Sigstore's trusted_root.json.
	ParseTrustedRoot(json []byte) (any, error)

	// ReadRoot returns what a trusted root contains.
	ReadRoot(trusted any) Root

	// KeySigner and KeylessSigner make signers; neither connects to a service.
	KeySigner(key *Key, services Services) Cryptography
	KeylessSigner(k Keyless, services Services) (Cryptography, error)
	// Login asks a user to log in, and returns the identity token.
	Login(ctx context.Context, i Interactive) (string, error)

	// ParseBundle reads a Sigstore bundle in JSON, without verifying it.
	ParseBundle(json []byte) (Bundle, error)
	// OldSigner returns the signer of a layer of the old form, if the trust accepts it. attestation
	// says that it is one of an .att image. The caller compares what is signed.
	OldSigner(ctx context.Context, t Trust, of v1.Descriptor, content []byte,
		attestation bool) (string, error)
}

// Root is the content of a trusted root.
type Root struct {
	CertificateAuthorities, TimestampAuthorities []Authority
	// Logs are Rekor's, CTLogs those of certificates; each in any order.
	Logs, CTLogs []LogKey
}

// Authority is an authority with its certificates, the root last; elements may be nil.
type Authority struct {
	URL   string
	Chain []*x509.Certificate
}

// LogKey is a log with its public key.
type LogKey struct {
	URL string
	Key crypto.PublicKey
}

// Cryptography signs for a [Signer].
type Cryptography interface {
	// Message signs data, Statement signs a statement in an envelope. Both record the signature.
	Message(ctx context.Context, data []byte) (Bundle, error)
	Statement(ctx context.Context, statement []byte) (Bundle, error)
	// Stamp returns the first authority's timestamp of the data; nil if there is no authority.
	Stamp(ctx context.Context, data []byte) ([]byte, error)
	// Identity returns the identity in the certificate; it is an error for a key.
	Identity(ctx context.Context) (Identity, error)
	// CheckCertificate returns an error if the trust would not accept the certificate.
	CheckCertificate(ctx context.Context, t Trust) error
}

// Bundle is a Sigstore bundle: a signature, with its certificate, log entries and timestamps.
type Bundle interface {
	// JSON returns the bundle, always the same bytes.
	JSON() ([]byte, error)
	// Envelope returns the content of its DSSE envelope; ok is false if it has none.
	Envelope() (payloadType string, payload []byte, ok bool)
	// IsMessage says that it is the signature of a message.
	IsMessage() bool
	// Signer returns the signer, if the trust accepts it. A message must be blob; the caller
	// compares the statement in an envelope.
	Signer(t Trust, blob []byte) (string, error)
	// OldSignature returns the layer of a .sig image for the signature of a message, OldAttestation
	// that of an .att image, with the timestamp of OldEnvelope, which is its content.
	OldSignature(message []byte) (OldLayer, error)
	OldAttestation(predicateType string, stamp []byte) (OldLayer, error)
	OldEnvelope() ([]byte, error)
}

// OldLayer is a layer of a .sig or .att image.
type OldLayer struct {
	Content     []byte
	MediaType   string
	Annotations map[string]string
}

// ErrNotLinked is the error of a program that does not contain package sigstore.
var ErrNotLinked = errors.New(
	`this program does not contain the code that signs and verifies; import _ ` +
		`"github.com/thimble-build/thimble/build/signing"`)

var sigstore Sigstore

// Link sets the implementation. Only package sigstore calls it, before main.
func Link(s Sigstore) { sigstore = s }

// Linked returns [ErrNotLinked] if nothing can be signed or verified.
func Linked() error {
	if sigstore == nil {
		return ErrNotLinked
	}
	return nil
}
