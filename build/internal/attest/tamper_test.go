package attest_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// without takes what is of one predicate type away.
func without(s attest.Stored, predicateType string) attest.Stored {
	out := attest.Stored{Signatures: s.Signatures}
	for _, b := range s.Bundles {
		if must(b.Manifest()).Annotations["dev.sigstore.bundle.predicateType"] != predicateType {
			out.Bundles = append(out.Bundles, b)
		}
	}
	if predicateType == attest.SignatureType {
		out.Signatures = nil
	}
	if s.Attestations != nil {
		out.Attestations = layersOf(s.Attestations, func(annotations map[string]string) bool { return annotations["predicateType"] != predicateType })
	}
	return out
}

// only keeps what is of one predicate type.
func only(s attest.Stored, predicateType string) attest.Stored {
	var out attest.Stored
	for _, b := range s.Bundles {
		if must(b.Manifest()).Annotations["dev.sigstore.bundle.predicateType"] == predicateType {
			out.Bundles = append(out.Bundles, b)
		}
	}
	if predicateType == attest.SignatureType {
		out.Signatures = s.Signatures
	}
	if s.Attestations != nil {
		out.Attestations = layersOf(s.Attestations, func(annotations map[string]string) bool { return annotations["predicateType"] == predicateType })
	}
	return out
}

// layersOf is an .att image with the layers for which keep says so.
func layersOf(img v1.Image, keep func(annotations map[string]string) bool) v1.Image {
	var add []mutate.Addendum
	for _, d := range must(img.Manifest()).Layers {
		if keep(d.Annotations) {
			add = append(add, mutate.Addendum{Layer: must(img.LayerByDigest(d.Digest)), Annotations: d.Annotations, MediaType: d.MediaType})
		}
	}
	return must(mutate.Append(mutate.ConfigMediaType(mutate.MediaType(emptyImage, types.OCIManifestSchema1), types.OCIConfigJSON), add...))
}

// join puts together what two digests have.
func join(a, b attest.Stored) attest.Stored {
	out := attest.Stored{Bundles: append(append([]v1.Image{}, a.Bundles...), b.Bundles...), Signatures: a.Signatures, Attestations: a.Attestations}
	if out.Signatures == nil {
		out.Signatures = b.Signatures
	}
	if out.Attestations == nil {
		out.Attestations = b.Attestations
	} else if b.Attestations != nil {
		var add []mutate.Addendum
		for _, d := range must(b.Attestations.Manifest()).Layers {
			add = append(add, mutate.Addendum{Layer: must(b.Attestations.LayerByDigest(d.Digest)), Annotations: d.Annotations, MediaType: d.MediaType})
		}
		out.Attestations = must(mutate.Append(a.Attestations, add...))
	}
	return out
}

// damaged cuts the end off every stored layer.
func damaged(img v1.Image) v1.Image {
	var add []mutate.Addendum
	for _, d := range must(img.Manifest()).Layers {
		b := readAll(must(must(img.LayerByDigest(d.Digest)).Compressed()))
		add = append(add, mutate.Addendum{Layer: static.NewLayer(b[:len(b)/2], d.MediaType), Annotations: d.Annotations, MediaType: d.MediaType})
	}
	return must(mutate.Append(emptyImage, add...))
}

// Each kind of tampering is refused with its reason, in either form alone and with
// both stored.
func TestTampering(t *testing.T) {
	testtool.NotShort(t)
	signer, public := newKey(t)
	stranger, _ := newKey(t)

	tests := []struct {
		name string
		// change gets the release and what a registry gives for it.
		change func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form)
		want   []string
	}{
		{"another manifest under the digest", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Children[1].Raw = append(bytes.Clone(m.Children[1].Raw), ' ')
		}, []string{"manifest of linux/arm64: its content is sha256:"}},
		{"an index given as an image", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Root.Descriptor.MediaType = types.OCIManifestSchema1
		}, []string{"manifest of sha256:", "its descriptor says application/vnd.oci.image.manifest.v1+json, but its content says application/vnd.oci.image.index.v1+json"}},
		{"an index given as nothing", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Root.Descriptor.MediaType, m.Children = "", nil
		}, []string{"manifest of sha256:", "it is an index, but its descriptor has no media type"}},
		{"an index that is an image too", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Root.Raw = append([]byte(`{"layers":[],`), m.Root.Raw[1:]...)
			m.Root.Descriptor.Digest, _, _ = v1.SHA256(bytes.NewReader(m.Root.Raw))
		}, []string{"manifest of sha256:", "it can be read as an index and as an image"}},
		{"another manifest under the tag", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			other := newRelease(t, r.name)
			*m = other.material()
		}, []string{"signature of sha256:", "there is none", "provenance of linux/amd64"}},
		{"signature of another image", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			other := newRelease(t, r.name)
			other.sign(t, signer, attest.Options{Forms: f})
			m.Root.Stored = join(without(m.Root.Stored, attest.SignatureType), only(other.subjects[0].Stored, attest.SignatureType))
		}, []string{"signature of sha256:", "none is valid: it is about sha256:"}},
		{"SBOM of another platform", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			a, b := m.Children[0].Stored, m.Children[1].Stored
			m.Children[0].Stored = join(without(a, attest.SPDXType), only(b, attest.SPDXType))
		}, []string{"spdx of linux/amd64", "none is valid: it is about sha256:"}},
		{"SBOM of another binary", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			r.subjects[1].Stored = without(r.subjects[1].Stored, attest.CycloneDXType)
			r.subjects[1].Statements = []attest.Statement{{PredicateType: attest.CycloneDXType, Predicate: cycloneDXOf(strings.Repeat("0", 64))}}
			r.sign(t, signer, attest.Options{Forms: f})
			*m = r.material()
		}, []string{"cyclonedx content of linux/amd64: it does not contain the image's executable"}},
		{"SBOM that is none", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			r.subjects[1].Stored = without(r.subjects[1].Stored, attest.SPDXType)
			r.subjects[1].Statements = []attest.Statement{{PredicateType: attest.SPDXType, Predicate: []byte(`{"spdxVersion":"LOL"}`)}}
			r.sign(t, signer, attest.Options{Forms: f})
			*m = r.material()
		}, []string{"spdx content of linux/amd64: the SBOM cannot be read"}},
		{"platform added to the index", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			img := must(random.Image(64, 1))
			d := must(partial.Descriptor(img))
			d.Platform = &v1.Platform{OS: "linux", Architecture: "riscv64"}
			index := mutate.AppendManifests(r.index, mutate.IndexAddendum{Add: img, Descriptor: *d})
			m.Root.Raw = must(index.RawManifest())
			m.Root.Descriptor = *must(partial.Descriptor(index))
			m.Children = append(m.Children, attest.Manifest{Descriptor: *d, Raw: must(img.RawManifest())})
		}, []string{"signature of sha256:", "it is about sha256:", "signature of linux/riscv64: there is none", "spdx of linux/riscv64: there is none"}},
		{"platform added, and the index signed", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			img := must(random.Image(64, 1))
			d := must(partial.Descriptor(img))
			d.Platform = &v1.Platform{OS: "linux", Architecture: "riscv64"}
			r.index = mutate.AppendManifests(r.index, mutate.IndexAddendum{Add: img, Descriptor: *d})
			r.subjects[0].Descriptor = *must(partial.Descriptor(r.index))
			r.subjects[0].Stored = attest.Stored{}
			r.sign(t, signer, attest.Options{Forms: f})
			*m = r.material()
		}, []string{"platforms of linux/riscv64: the index lists this image, but it was not found"}},
		{"provenance of another repository", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			r.subjects[2].Stored = without(r.subjects[2].Stored, attest.ProvenanceType)
			r.subjects[2].Statements = []attest.Statement{{PredicateType: attest.ProvenanceType, Predicate: provenanceOf("https://github.com/evil/api", "1")}}
			r.sign(t, signer, attest.Options{Forms: f})
			*m = r.material()
		}, []string{"source of linux/arm64: it was built from github.com/evil/api, not from github.com/acme/api"}},
		{"another key", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			r.subjects[1].Stored = attest.Stored{}
			r.sign(t, stranger, attest.Options{Forms: f})
			*m = r.material()
		}, []string{"signature of linux/amd64", "it does not verify with the expected key", "spdx of linux/amd64"}},
		{"truncated", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			s := &m.Children[0].Stored
			if s.Bundles = slices.Clone(s.Bundles); len(s.Bundles) > 0 {
				s.Bundles[0] = damaged(s.Bundles[0])
			}
			if s.Signatures != nil {
				s.Signatures = damaged(s.Signatures)
			}
		}, []string{"signature of linux/amd64: none is valid"}},
		{"attestation removed", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Children[1].Stored = without(m.Children[1].Stored, attest.ProvenanceType)
		}, []string{"provenance of linux/arm64: there is none"}},
		{"signature removed, attestations there", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Root.Stored = without(m.Root.Stored, attest.SignatureType)
		}, []string{"signature of sha256:", "there is none"}},
		{"everything removed", func(t *testing.T, r *release, m *attest.Evidence, f []attest.Form) {
			m.Root.Stored = attest.Stored{}
		}, []string{"signature of sha256:", "provenance of sha256:"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for name, f := range forms {
				r := newRelease(t, "registry.example/acme/api")
				r.sign(t, signer, attest.Options{Forms: f})
				m := r.material()
				if _, err := attest.Verify(t.Context(), m, policy(public)); err != nil {
					t.Fatalf("%s: before anything is changed: %v", name, err)
				}
				test.change(t, r, &m, f)
				_, err := attest.Verify(t.Context(), m, policy(public))
				if !errors.Is(err, attest.ErrRefused) {
					t.Errorf("%s: %v", name, err)
					continue
				}
				for _, want := range test.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: the reason lacks %q:\n%v", name, want, err)
					}
				}
			}
		})
	}
}

// What somebody else has said is no harm beside what is expected.
func TestStrangersSignatureIsIgnored(t *testing.T) {
	signer, public := newKey(t)
	stranger, _ := newKey(t)
	r := newRelease(t, "registry.example/acme/api")
	r.sign(t, stranger, attest.Options{})
	r.sign(t, signer, attest.Options{})
	report, err := attest.Verify(t.Context(), r.material(), policy(public))
	if err != nil {
		t.Fatal(err)
	}
	ignored := 0
	for _, c := range report.Checks {
		if c.Outcome == attest.Ignored {
			ignored++
		}
	}
	if ignored != 24 { // 12 bundles, 3 .sig layers, 9 .att layers
		t.Errorf("%d are ignored, want 24", ignored)
	}
}

// Forms that are required must each be complete.
func TestRequiredForms(t *testing.T) {
	signer, public := newKey(t)
	r := newRelease(t, "registry.example/acme/api")
	r.sign(t, signer, attest.Options{Forms: []attest.Form{attest.Tags}})
	p := policy(public)
	p.Forms = forms["both"]
	_, err := attest.Verify(t.Context(), r.material(), p)
	if !errors.Is(err, attest.ErrRefused) || !strings.Contains(err.Error(), "there is none in the form bundle") {
		t.Error(err)
	}
}

// A policy that would let anybody pass is refused.
func TestUselessPolicy(t *testing.T) {
	for want, trust := range map[string]attest.Trust{
		"no key and no identity is expected": {},
		"needs its subject and its issuer":   {Identities: []attest.Identity{{Subject: "a@example.com"}}, TrustedRoot: noRoot},
		"only with a trusted root":           {Identities: []attest.Identity{{Subject: "a@example.com", Issuer: "https://issuer"}}},
	} {
		_, err := attest.Verify(t.Context(), attest.Evidence{}, attest.Policy{Trust: trust})
		if err == nil || errors.Is(err, attest.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
