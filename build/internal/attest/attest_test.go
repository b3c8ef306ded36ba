package attest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/attest"
	_ "github.com/thimble-build/thimble/build/internal/sigstore"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// must is for values that a test needs and does not test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const source = "https://github.com/acme/api"

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newKey gives a new key's signer, and its public half.
func newKey(t testing.TB) (*attest.Signer, *attest.PublicKey) {
	t.Helper()
	private, _, err := attest.GenerateKey([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return string(private), true }
	key, err := attest.OpenKey(t.Context(), "env://KEY", attest.KeyOptions{
		Password: func() ([]byte, error) { return []byte("secret"), nil }, LookupEnv: env,
	})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := attest.NewSigner(key, attest.Services{})
	if err != nil {
		t.Fatal(err)
	}
	return signer, key.Public()
}

// quickKey is newKey without a password, from which a key would have to be derived.
func quickKey(t testing.TB) (*attest.Signer, *attest.PublicKey) {
	t.Helper()
	key := must(attest.NewDevelopmentKey())
	return must(attest.NewSigner(key, attest.Services{})), key.Public()
}

// release is an index with its images, and what is said about each.
type release struct {
	name     string
	index    v1.ImageIndex
	images   []v1.Image
	subjects []attest.Subject // the index first
}

var platforms = []string{"linux/amd64", "linux/arm64"}

// binary is the sha256 that stands for the executable of an image.
func binary(image v1.Hash) string { return image.Hex }

func spdxOf(binary string) json.RawMessage {
	return json.RawMessage(`{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"api",` +
		`"documentNamespace":"https://example.com/api","creationInfo":{"created":"2026-03-01T12:00:00Z","creators":["Tool: test"]},` +
		`"files":[{"SPDXID":"SPDXRef-File","fileName":"api","checksums":[{"algorithm":"SHA256","checksumValue":"` + binary + `"}]}]}`)
}

func cycloneDXOf(binary string) json.RawMessage {
	return json.RawMessage(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"application","name":"api",` +
		`"hashes":[{"alg":"SHA-256","content":"` + binary + `"}]}}}`)
}

func provenanceOf(repository, invocation string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"buildDefinition":{"buildType":"https://example.com/type","externalParameters":{"a":"<b>"},`+
		`"resolvedDependencies":[{"uri":"git+%s@refs/tags/v1","digest":{"gitCommit":"%040x"}},{"uri":"pkg:golang/example.com/m@v1.0.0","digest":{"dirHash":"x"}}]},`+
		`"runDetails":{"builder":{"id":"local"},"metadata":{"invocationId":"%s","startedOn":"2026-03-01T12:00:00Z"}}}`, repository, 1, invocation))
}

func statements(binary string) []attest.Statement {
	return []attest.Statement{
		{PredicateType: attest.SPDXType, Predicate: spdxOf(binary)},
		{PredicateType: attest.CycloneDXType, Predicate: cycloneDXOf(binary)},
		{PredicateType: attest.ProvenanceType, Predicate: provenanceOf(source, "1")},
		{PredicateType: attest.TestResultType, Predicate: json.RawMessage(`{"result":"PASSED","configuration":[]}`)},
	}
}

func newRelease(t testing.TB, name string) *release {
	t.Helper()
	r := &release{name: name, index: mutate.IndexMediaType(empty.Index, types.OCIImageIndex)}
	r.subjects = make([]attest.Subject, 1)
	for _, p := range platforms {
		img := mutate.MediaType(must(random.Image(64, 1)), types.OCIManifestSchema1)
		desc := must(partial.Descriptor(img))
		desc.Platform = must(v1.ParsePlatform(p))
		r.index = mutate.AppendManifests(r.index, mutate.IndexAddendum{Add: img, Descriptor: *desc})
		r.images = append(r.images, img)
		r.subjects = append(r.subjects, attest.Subject{Name: name, Descriptor: *desc, Statements: statements(binary(desc.Digest))})
	}
	r.subjects[0] = attest.Subject{
		Name: name, Descriptor: *must(partial.Descriptor(r.index)),
		Statements: []attest.Statement{{PredicateType: attest.ProvenanceType, Predicate: provenanceOf(source, "1")}},
	}
	return r
}

// sign signs everything and takes over what is stored then.
func (r *release) sign(t testing.TB, signer *attest.Signer, o attest.Options) []attest.Signed {
	t.Helper()
	o.Created = epoch
	signed, err := attest.Sign(t.Context(), signer, r.subjects, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range signed {
		r.subjects[i].Stored = after(signed[i])
	}
	return signed
}

// after is what is stored once all that Sign made is written.
func after(s attest.Signed) attest.Stored {
	stored := attest.Stored{Bundles: slices.Concat(s.Found.Bundles, s.Bundles), Signatures: s.Found.Signatures, Attestations: s.Found.Attestations}
	if s.Signatures != nil {
		stored.Signatures = s.Signatures
	}
	if s.Attestations != nil {
		stored.Attestations = s.Attestations
	}
	return stored
}

// material is what a registry would give.
func (r *release) material() attest.Evidence {
	m := attest.Evidence{Name: r.name, Root: attest.Manifest{
		Descriptor: r.subjects[0].Descriptor, Raw: must(r.index.RawManifest()), Stored: r.subjects[0].Stored,
	}}
	for i, img := range r.images {
		m.Children = append(m.Children, attest.Manifest{
			Descriptor: r.subjects[i+1].Descriptor, Raw: must(img.RawManifest()), Stored: r.subjects[i+1].Stored,
		})
	}
	return m
}

func policy(keys ...*attest.PublicKey) attest.Policy {
	return attest.Policy{
		Trust:  attest.Trust{Keys: keys},
		Source: "git@github.com:acme/api.git",
		Image:  []string{attest.SPDXType, attest.CycloneDXType, attest.ProvenanceType, attest.TestResultType},
		Binary: func(_ context.Context, image v1.Descriptor) (string, error) { return binary(image.Digest), nil },
	}
}

var forms = map[string][]attest.Form{
	"bundles": {attest.Bundles},
	"tags":    {attest.Tags},
	"both":    {attest.Bundles, attest.Tags},
}

// What a key has signed verifies, in each form, for the index and every platform.
func TestKeyRoundTrip(t *testing.T) {
	testtool.NotShort(t)
	for name, f := range forms {
		t.Run(name, func(t *testing.T) {
			signer, public := newKey(t)
			_, other := newKey(t)
			r := newRelease(t, "registry.example/acme/api")
			signed := r.sign(t, signer, attest.Options{Forms: f})
			p := policy(other, public) // keys that are being rotated
			p.Forms = f
			report, err := attest.Verify(t.Context(), r.material(), p)
			if err != nil {
				t.Fatal(err)
			}
			passed := map[string]int{}
			for _, c := range report.Checks {
				if c.Outcome != attest.Passed {
					t.Errorf("%+v", c)
				}
				passed[c.Check]++
			}
			n := len(f)
			for check, want := range map[string]int{
				"manifest": 3, "signature": 3 * n, "spdx": 2 * n, "cyclonedx": 2 * n, "provenance": 3 * n,
				"test-result": 2 * n, "source": 3 * n, "spdx content": 2 * n, "cyclonedx content": 2 * n,
			} {
				if passed[check] != want {
					t.Errorf("%d checks of %s passed, want %d", passed[check], check, want)
				}
			}
			for _, s := range signed {
				hasTags, hasBundles := s.Signatures != nil && s.Attestations != nil, len(s.Bundles) > 0
				if hasTags != slices.Contains(f, attest.Tags) || hasBundles != slices.Contains(f, attest.Bundles) {
					t.Errorf("%s has tags %v, bundles %v", s.Digest, hasTags, hasBundles)
				}
			}
		})
	}
}

// A second run signs nothing, whatever the run's metadata; a changed statement is
// signed, and nothing else is; a form that is added is made from what is there.
func TestSignAgain(t *testing.T) {
	signer, public := newKey(t)
	r := newRelease(t, "registry.example/acme/api")
	made := func(o attest.Options) (n int) {
		t.Helper()
		for _, s := range r.sign(t, signer, o) {
			n += s.Made
			if s.Made == 0 && (len(s.Bundles) > 0 || s.Signatures != nil) {
				t.Error("something is to be written, though nothing was signed")
			}
		}
		return n
	}
	bundles := attest.Options{Forms: []attest.Form{attest.Bundles}}
	// The index has two, each platform five.
	if n := made(bundles); n != 12 {
		t.Errorf("the first run made %d signatures, want 12", n)
	}
	// Envelopes are shared by the forms; a .sig signs another payload.
	if n := made(attest.Options{}); n != 3 {
		t.Errorf("the second form made %d signatures, want 3", n)
	}
	for i := range r.subjects {
		for j := range r.subjects[i].Statements {
			if r.subjects[i].Statements[j].PredicateType == attest.ProvenanceType {
				r.subjects[i].Statements[j].Predicate = provenanceOf(source, "2")
			}
		}
	}
	for _, s := range r.sign(t, signer, attest.Options{}) {
		if s.Made != 0 || len(s.Bundles) != 0 || s.Signatures != nil || s.Attestations != nil {
			t.Errorf("%s was signed again", s.Digest)
		}
	}
	r.subjects[1].Statements[3].Predicate = json.RawMessage(`{"result":"FAILED"}`)
	if n := made(attest.Options{}); n != 1 {
		t.Errorf("a changed statement made %d signatures, want 1", n)
	}
	if _, err := attest.Verify(t.Context(), r.material(), policy(public)); err != nil {
		t.Error(err)
	}
	// Another key's signatures do not count, and stay.
	before := len(must(r.subjects[0].Stored.Signatures.Layers()))
	signer, public2 := newKey(t)
	if n := made(attest.Options{}); n != 15 {
		t.Errorf("another key made %d signatures, want 15", n)
	}
	if n := len(must(r.subjects[0].Stored.Signatures.Layers())); n != before+1 {
		t.Errorf("%d signatures are stored, want %d", n, before+1)
	}
	for _, key := range []*attest.PublicKey{public, public2} {
		if _, err := attest.Verify(t.Context(), r.material(), policy(key)); err != nil {
			t.Error(err)
		}
	}
}

// The referrer's manifest depends on the bundle and the epoch alone.
func TestReferrerManifest(t *testing.T) {
	signer, _ := newKey(t)
	r := newRelease(t, "registry.example/acme/api")
	signed := r.sign(t, signer, attest.Options{})
	m := must(signed[0].Bundles[0].Manifest())
	if m.ArtifactType != attest.BundleType || m.Subject == nil || m.Subject.Digest != signed[0].Digest {
		t.Errorf("artifact type %q, subject %v", m.ArtifactType, m.Subject)
	}
	for key, want := range map[string]string{
		"org.opencontainers.image.created":  "2026-03-01T12:00:00Z",
		"dev.sigstore.bundle.content":       "dsse-envelope",
		"dev.sigstore.bundle.predicateType": attest.SignatureType,
	} {
		if got := m.Annotations[key]; got != want {
			t.Errorf("annotation %s is %q, want %q", key, got, want)
		}
	}
}

func TestBlob(t *testing.T) {
	signer, public := newKey(t)
	_, other := newKey(t)
	bundle, err := attest.SignBlob(t.Context(), signer, []byte("checksums"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attest.VerifyBlob([]byte("checksums"), bundle, attest.Trust{Keys: []*attest.PublicKey{public}}); err != nil {
		t.Error(err)
	}
	if _, err := attest.VerifyBlob([]byte("checksums"), bundle, attest.Trust{Keys: []*attest.PublicKey{other, public}}); err != nil {
		t.Errorf("the second of two keys: %v", err)
	}
	if _, err := attest.VerifyBlob([]byte("checksumz"), bundle, attest.Trust{Keys: []*attest.PublicKey{public}}); err == nil {
		t.Error("another blob passes")
	}
	if _, err := attest.VerifyBlob([]byte("checksums"), bundle, attest.Trust{Keys: []*attest.PublicKey{other}}); err == nil {
		t.Error("another key passes")
	}
}

// Only a digest can be signed.
func TestSignDigestOnly(t *testing.T) {
	signer, _ := newKey(t)
	s := attest.Subject{Name: "registry.example/acme/api", Descriptor: v1.Descriptor{MediaType: types.OCIImageIndex, Size: 3}}
	_, err := attest.Sign(t.Context(), signer, []attest.Subject{s}, attest.Options{})
	if err == nil || !strings.Contains(err.Error(), "only a digest can be signed") {
		t.Error(err)
	}
}
