package attest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Stored is the content of a registry or a layout about one digest. A missing image is nil.
type Stored struct {
	// Bundles are the referrers of artifact type [BundleType], in any order.
	Bundles []v1.Image
	// Signatures and Attestations are the images at [SignatureTag] and
	// [AttestationTag].
	Signatures, Attestations v1.Image
	// Ignored are the documents that were not read, with the reason: anybody may attach
	// documents.
	Ignored []Ignore
	// Unread is a temporary reason why some documents could not be read.
	Unread error

	// looked are the findings for these same images from an earlier call.
	looked *looked
}

// Ignore is a stored document that does not count.
type Ignore struct{ Source, Reason string }

// looked are findings, with everything that they depend on.
type looked struct {
	stored        Stored
	digest        v1.Hash
	bundles, tags Trust
	findings      []*finding
}

// at reports whether the findings are for the same images and the same trust. Images are
// compared by identity: an image that was read again is checked again.
func (l *looked) at(s Stored, digest v1.Hash, bundles, tags Trust) bool {
	return l != nil && l.digest == digest &&
		slices.Equal(l.stored.Bundles, s.Bundles) && l.stored.Signatures == s.Signatures &&
		l.stored.Attestations == s.Attestations &&
		reflect.DeepEqual(l.bundles, bundles) && reflect.DeepEqual(l.tags, tags)
}

// finding is one stored signature or attestation, with the result of checking it.
type finding struct {
	form      Form
	source    string // names it: a digest
	signer    string
	statement *inToto
	bundle    Bundle
	document  v1.Hash // that of the stored document
	// damaged: it cannot be read. foreign: it verifies for no expected signer. misplaced: it
	// verifies, but is about another digest.
	damaged, foreign, misplaced error
	// gone says that it is damaged because its layer no longer exists.
	gone bool
}

// name returns the source, with the layer if there are several.
func (f *finding) name() string {
	if f.form == Tags && f.document != (v1.Hash{}) {
		return f.source + ", layer " + f.document.String()
	}
	return f.source
}

func (f *finding) ok() bool { return f.damaged == nil && f.foreign == nil && f.misplaced == nil }

// findings checks everything that is stored about a digest, several at once: each takes some
// milliseconds for every hundred components of an SBOM.
func (s Stored) findings(ctx context.Context, digest v1.Hash, bundles, tags Trust) []*finding {
	return s.findingsIn(ctx, newFlight(), digest, bundles, tags)
}

func (s Stored) findingsIn(ctx context.Context, f flight, digest v1.Hash, bundles, tags Trust) []*finding {
	if s.looked.at(s, digest, bundles, tags) {
		return s.looked.findings
	}
	var looks []look
	for _, img := range s.Bundles {
		looks = append(looks, look{sizeOf(img),
			func() *finding { return bundleFinding(img, digest, bundles) }})
	}
	old := func(img v1.Image, source string, mediaType types.MediaType,
		at func(context.Context, oldLayer, v1.Hash, Trust) *finding) {
		layers, others, err := readOld(img, mediaType)
		if err != nil {
			others = append(others, err)
		}
		for _, err := range others {
			looks = append(looks, look{at: func() *finding {
				return &finding{form: Tags,
					source: source, damaged: err}
			}})
		}
		for _, l := range layers {
			looks = append(looks, look{l.size(), func() *finding { return at(ctx, l, digest, tags) }})
		}
	}
	old(s.Signatures, SignatureTag(digest), simpleSigningType, signatureFinding)
	old(s.Attestations, AttestationTag(digest), envelopeType, attestationFinding)
	out := f.look(ctx, looks)
	// A signature is random, and so is its digest; the statement is not.
	slices.SortStableFunc(out, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(a.form, b.form), strings.Compare(a.signer, b.signer),
			strings.Compare(a.source, b.source))
	})
	return out
}

func bundleFinding(img v1.Image, digest v1.Hash, trust Trust) *finding {
	f := &finding{form: Bundles, source: "referrer"}
	if d, err := img.Digest(); err == nil {
		f.source = d.String()
	}
	b, err := readReferrer(img)
	if err != nil {
		f.damaged = err
		return f
	}
	if layers, err := img.Layers(); err == nil && len(layers) == 1 {
		f.document, _ = layers[0].Digest() // cannot fail: it was just read
	}
	f.bundle = b
	if f.statement, err = envelopeOf(b); err != nil {
		f.damaged = err
		return f
	}
	if f.signer, f.foreign = b.Signer(trust, nil); f.foreign != nil {
		return f
	}
	f.misplaced = f.statement.misplaced(digest)
	return f
}

func signatureFinding(ctx context.Context, old oldLayer, digest v1.Hash, trust Trust) *finding {
	f := &finding{form: Tags, source: SignatureTag(digest), document: old.descriptor.Digest}
	message, err := old.read()
	if err != nil {
		f.damaged, f.gone = err, errors.Is(err, fs.ErrNotExist)
		return f
	}
	var says claim
	if err := json.Unmarshal(message, &says); err != nil {
		f.damaged = fmt.Errorf("the layer is not a simple signing payload: %w", err)
		return f
	}
	if f.signer, f.foreign = sigstore.OldSigner(ctx, trust, old.descriptor, message,
		false); f.foreign != nil {
		return f
	}
	about := says.Critical.Image.DockerManifestDigest
	if says.Critical.Type != claimType {
		f.misplaced = fmt.Errorf("it is a %q, not an image's signature", says.Critical.Type)
	} else if about != digest.String() {
		f.misplaced = fmt.Errorf("it is about %s", about)
	}
	f.statement = &inToto{PredicateType: SignatureType}
	return f
}

func attestationFinding(ctx context.Context, old oldLayer, digest v1.Hash, trust Trust) *finding {
	f := &finding{form: Tags, source: AttestationTag(digest), document: old.descriptor.Digest}
	message, err := old.read()
	if err != nil {
		f.damaged, f.gone = err, errors.Is(err, fs.ErrNotExist)
		return f
	}
	var env struct {
		PayloadType string `json:"payloadType"`
		Payload     []byte `json:"payload"`
	}
	if err := json.Unmarshal(message, &env); err != nil {
		f.damaged = fmt.Errorf("the layer is not a DSSE envelope: %w", err)
		return f
	}
	if env.PayloadType != PayloadType {
		f.damaged = fmt.Errorf("the envelope contains %q, not an in-toto statement", env.PayloadType)
		return f
	}
	if f.statement, err = decodeStatement(env.Payload); err != nil {
		f.damaged = err
		return f
	}
	if f.signer, f.foreign = sigstore.OldSigner(ctx, trust, old.descriptor, message, true); f.foreign != nil {
		return f
	}
	f.misplaced = f.statement.misplaced(digest)
	return f
}

// misplaced returns an error that names the statement's subject, if it is not this digest.
func (s *inToto) misplaced(digest v1.Hash) error {
	if s.about(digest) {
		return nil
	}
	return fmt.Errorf("it is about sha256:%s", s.Subject[0].Digest["sha256"])
}
