package attest_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/attest"
)

const (
	envelopeType  = "application/vnd.dsse.envelope.v1+json"
	signatureType = "application/vnd.dev.cosign.simplesigning.v1+json"
)

// anImage is an image of documents with these layers.
func anImage(layers ...mutate.Addendum) v1.Image { return must(mutate.Append(emptyImage, layers...)) }

func layer(content string, mediaType types.MediaType, annotations map[string]string) mutate.Addendum {
	return mutate.Addendum{Layer: static.NewLayer([]byte(content), mediaType), MediaType: mediaType, Annotations: annotations}
}

// envelope is a DSSE envelope with a signature that is none.
func envelope(payloadType, payload string) string {
	return string(must(json.Marshal(map[string]any{
		"payloadType": payloadType, "payload": base64.StdEncoding.EncodeToString([]byte(payload)),
		"signatures": []any{map[string]string{"sig": base64.StdEncoding.EncodeToString([]byte("x"))}},
	})))
}

// What anybody may have put beside an image takes nothing away from what is valid: it is
// listed, with the reason.
func TestGarbageIsIgnored(t *testing.T) {
	signer, public := quickKey(t)
	stranger, _ := quickKey(t)
	// other is another image, signed by the same key, and foreign is this one by a stranger.
	other := newRelease(t, "registry.example/acme/api")
	other.sign(t, signer, attest.Options{})

	for _, test := range []struct {
		name string
		// add puts something beside what is stored.
		add  func(t *testing.T, r *release, at int, s *attest.Stored)
		want string
	}{
		{"bundle by another key", func(t *testing.T, r *release, at int, s *attest.Stored) {
			signed := must(attest.Sign(t.Context(), stranger, r.subjects[at:at+1], attest.Options{Forms: forms["bundles"]}))
			s.Bundles = append(s.Bundles, signed[0].Bundles...)
		}, "it does not verify with the expected key"},
		{"bundle of another image", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, other.subjects[0].Stored.Bundles...)
		}, "belongs to something else: it is about sha256:"},
		{"bundle that is cut off", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, damaged(s.Bundles[0]))
		}, "is damaged: decode bundle"},
		{"bundle that is no JSON", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, anImage(layer("garbage", attest.BundleType, nil)))
		}, "is damaged: decode bundle"},
		{"bundle that is empty JSON", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, anImage(layer("{}", attest.BundleType, nil)))
		}, "is damaged"},
		{"bundle without layers", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, anImage())
		}, "it has 0 layers"},
		{"bundle with two layers", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Bundles = append(s.Bundles, must(random.Image(10, 2)))
		}, "it has 2 layers"},
		{"referrer that was not read", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Ignored = append(s.Ignored, attest.Ignore{Source: "sha256:00", Reason: "it is not an image"})
		}, "sha256:00: it is not an image"},
		{"other predicate by another key", func(t *testing.T, r *release, at int, s *attest.Stored) {
			subject := r.subjects[at]
			subject.Stored = *s
			subject.AttestOnly, subject.Statements = true, []attest.Statement{{PredicateType: "https://example.com/scan", Predicate: json.RawMessage(`{}`)}}
			signed := must(attest.Sign(t.Context(), stranger, []attest.Subject{subject}, attest.Options{}))
			s.Bundles, s.Attestations = append(s.Bundles, signed[0].Bundles...), signed[0].Attestations
		}, "it does not verify with the expected key"},
		{".sig layer of another media type", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Signatures = must(mutate.Append(s.Signatures, layer("{}", "application/json", nil)))
		}, `has the media type "application/json"`},
		{".sig layer that is garbage", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Signatures = must(mutate.Append(s.Signatures, layer("garbage", signatureType, map[string]string{"dev.cosignproject.cosign/signature": "eA=="})))
		}, "not a simple signing payload"},
		{".sig layer without a signature", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Signatures = must(mutate.Append(s.Signatures, layer(`{"critical":{}}`, signatureType, nil)))
		}, "sha256-"},
		{".sig layer of another image", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Signatures = join(attest.Stored{Attestations: s.Signatures}, attest.Stored{Attestations: other.subjects[0].Stored.Signatures}).Attestations
		}, "belongs to something else: it is about sha256:"},
		{".att layer of another media type", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = must(mutate.Append(s.Attestations, layer("garbage", "text/plain", nil)))
		}, `has the media type "text/plain"`},
		{".att layer that is garbage", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = must(mutate.Append(s.Attestations, layer("garbage", envelopeType, nil)))
		}, "not a DSSE envelope"},
		{".att layer of another payload", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = must(mutate.Append(s.Attestations, layer(envelope("text/plain", "hello"), envelopeType, nil)))
		}, `the envelope contains "text/plain"`},
		{".att layer without a subject", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = must(mutate.Append(s.Attestations, layer(envelope("application/vnd.in-toto+json", `{"_type":"https://in-toto.io/Statement/v1"}`), envelopeType, nil)))
		}, "the statement has no subject"},
		{".att layer that nobody signed", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = must(mutate.Append(s.Attestations, layer(envelope("application/vnd.in-toto+json",
				`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"00"}}],"predicateType":"https://spdx.dev/Document"}`), envelopeType, nil)))
		}, "sha256-"},
		{".att layers of another image", func(t *testing.T, r *release, at int, s *attest.Stored) {
			s.Attestations = join(*s, other.subjects[0].Stored).Attestations
		}, "belongs to something else: it is about sha256:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRelease(t, "registry.example/acme/api")
			r.sign(t, signer, attest.Options{})
			for at := range r.subjects[:2] { // the index, and an image
				s := r.subjects[at].Stored
				s.Bundles = slices.Clone(s.Bundles)
				test.add(t, r, at, &s)
				m := r.material()
				if at == 0 {
					m.Root.Stored = s
				} else {
					m.Children[at-1].Stored = s
				}
				report, err := attest.Verify(t.Context(), m, policy(public))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(report.Checks, func(c attest.Check) bool {
					return c.Outcome == attest.Ignored && strings.Contains(c.Detail, test.want)
				}) {
					t.Errorf("nothing is ignored because of %q: %+v", test.want, report.Checks)
				}
				// The next run makes nothing, and takes nothing away.
				subject := r.subjects[at]
				subject.Stored = s
				signed, err := attest.Sign(t.Context(), signer, []attest.Subject{subject}, attest.Options{})
				if err != nil || signed[0].Made != 0 || len(signed[0].Bundles) > 0 || signed[0].Signatures != nil || signed[0].Attestations != nil {
					t.Errorf("signed again: %v %+v", err, signed)
				}
			}
		})
	}
}

// Signatures are random, and so are the digests of what holds them; a report is not.
func TestReportOrder(t *testing.T) {
	var before []string
	for range 8 {
		signer, public := quickKey(t)
		stranger, _ := quickKey(t)
		r := newRelease(t, "registry.example/acme/api")
		indexDescribedBy(r)
		r.sign(t, stranger, attest.Options{})
		r.sign(t, signer, attest.Options{})
		for i := range r.subjects { // in whatever order a registry lists them
			slices.Reverse(r.subjects[i].Stored.Bundles)
		}
		report, err := attest.Verify(t.Context(), r.material(), policy(public))
		if err != nil {
			t.Fatal(err)
		}
		var now []string
		for _, c := range report.Checks {
			now = append(now, strings.Join([]string{string(c.Outcome), c.Platform, c.Check, string(c.Form), strings.Join(c.Executables, " ")}, " "))
		}
		if before != nil && !slices.Equal(before, now) {
			t.Fatalf("the lines are\n%s\nand were\n%s", strings.Join(now, "\n"), strings.Join(before, "\n"))
		}
		before = now
	}
}
