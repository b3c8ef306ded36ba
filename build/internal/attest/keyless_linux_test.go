package attest_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
)

const email = "release@example.com"

// An identity signs with a private Sigstore, and verifies offline; whatever is not as
// it must be is refused.
func TestKeyless(t *testing.T) {
	sigstoretest.Build(t)
	if !sigstoretest.InNamespace(t) {
		return
	}
	s := sigstoretest.New(t)
	var tokens atomic.Int32
	keyless := func(fulcio string, services attest.Services) *attest.Signer {
		t.Helper()
		signer, err := attest.NewKeylessSigner(attest.Keyless{Fulcio: fulcio, Token: func(context.Context) (string, error) {
			tokens.Add(1)
			return s.Issuer.Token(email), nil
		}}, services)
		if err != nil {
			t.Fatal(err)
		}
		return signer
	}
	all := attest.Services{Logs: []attest.Log{{URL: s.Rekor, Version: 2}}, TimestampAuthorities: []string{s.TSA}}
	trust := attest.Trust{
		Identities:  []attest.Identity{{Subject: email, Issuer: s.Issuer.URL}},
		TrustedRoot: s.TrustedRoot(s.CA), AllowNoSCT: true,
	}
	with := func(change func(*attest.Trust)) attest.Policy {
		p := policy()
		p.Trust = trust
		if change != nil {
			change(&p.Trust)
		}
		return p
	}
	refused := func(name string, r *release, p attest.Policy, want string) {
		t.Helper()
		_, err := attest.Verify(t.Context(), r.material(), p)
		if !errors.Is(err, attest.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %q", name, err, want)
		}
	}

	repo := newRegistry(t)
	r := newRelease(t, repo.Name())
	signer := keyless(s.Fulcio, all)
	signed := r.sign(t, signer, attest.Options{Trust: trust})
	if n := tokens.Load(); n != 1 {
		t.Errorf("%d certificates were asked for, want one for the run", n)
	}
	report, err := attest.Verify(t.Context(), r.material(), with(nil))
	if err != nil {
		t.Fatalf("%v\n%+v", err, report)
	}
	for _, f := range forms {
		p := with(func(t *attest.Trust) { t.AllowUnlogged = true })
		p.Forms = f
		if _, err := attest.Verify(t.Context(), r.material(), p); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
	for _, again := range r.sign(t, signer, attest.Options{Trust: trust}) {
		if again.Made != 0 {
			t.Errorf("%s was signed again", again.Digest)
		}
	}
	expr := with(func(t *attest.Trust) {
		t.Identities = []attest.Identity{{SubjectRegexp: `.*@example\.com`, IssuerRegexp: `http://127\.0\.0\.1:\d+`}}
	})
	if _, err := attest.Verify(t.Context(), r.material(), expr); err != nil {
		t.Errorf("expressions: %v", err)
	}

	for _, f := range []attest.Form{attest.Bundles, attest.Tags} {
		t.Run(string(f), func(t *testing.T) {
			one := newRelease(t, repo.Name())
			one.sign(t, signer, attest.Options{Forms: []attest.Form{f}})
			lax := func(tr *attest.Trust) { tr.AllowUnlogged = true }
			refused("wrong identity", one, with(func(tr *attest.Trust) {
				lax(tr)
				tr.Identities = []attest.Identity{{Subject: "other@example.com", Issuer: s.Issuer.URL}}
			}), "it is signed by "+email+" of "+s.Issuer.URL+", not by other@example.com")
			refused("expression that matches a part", one, with(func(tr *attest.Trust) {
				lax(tr)
				tr.Identities = []attest.Identity{{SubjectRegexp: "release", Issuer: s.Issuer.URL}}
			}), "not by /release/")
			refused("timestamp of another signature", swapStamps(one), with(lax), "timestamp")
			refused("wrong issuer", one, with(func(tr *attest.Trust) {
				lax(tr)
				tr.Identities = []attest.Identity{{Subject: email, Issuer: "https://other.example"}}
			}), "not by "+email+" of https://other.example")
			refused("key expected", one, attest.Policy{Trust: attest.Trust{Keys: []*attest.PublicKey{otherKey(t)}}}, "a key is expected")
			for expiry, want := range map[time.Duration]string{5 * time.Minute: "", -time.Hour: "its certificate was valid only from "} {
				otherURL, otherCA := sigstoretest.NewFulcio(t, email, s.Issuer.URL, expiry)
				other := with(func(tr *attest.Trust) { lax(tr); tr.TrustedRoot = s.TrustedRoot(otherCA) })
				refused("chain of another root", one, other, "its certificate's chain does not end in the trusted root")
				r := newRelease(t, repo.Name())
				r.sign(t, keyless(otherURL, all), attest.Options{Forms: []attest.Form{f}})
				if want != "" {
					refused("expired certificate", r, other, want)
				} else if _, err := attest.Verify(t.Context(), r.material(), other); err != nil {
					t.Errorf("certificate that is valid: %v", err)
				}
			}

			unlogged := newRelease(t, repo.Name())
			unlogged.sign(t, keyless(s.Fulcio, attest.Services{TimestampAuthorities: []string{s.TSA}}), attest.Options{Forms: []attest.Form{f}})
			if _, err := attest.Verify(t.Context(), unlogged.material(), with(lax)); err != nil {
				t.Error(err)
			}
			refused("missing log entry", unlogged, with(nil), "transparency log")
			refused("missing certificate log entry", one, with(func(tr *attest.Trust) { lax(tr); tr.AllowNoSCT = false }), "SCT")
		})
	}

	// Stock clients, with bundles.
	r.push(t, repo, signed)
	trustedRoot := filepath.Join(t.TempDir(), "root.json")
	if err := os.WriteFile(trustedRoot, must(trust.TrustedRoot.(*root.TrustedRoot).MarshalJSON()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range sigstoretest.Cosigns {
		cosign := c.Build(t)
		args := []string{"--new-bundle-format=true", "--trusted-root=" + trustedRoot, "--certificate-identity=" + email, "--certificate-oidc-issuer=" + s.Issuer.URL, "--insecure-ignore-sct=true", "--use-signed-timestamps=true"}
		for _, subject := range r.subjects {
			ref := repo.Digest(subject.Descriptor.Digest.String()).Name()
			if out, err := sigstoretest.Command(t, cosign, append(append([]string{"verify"}, args...), ref)...); err != nil {
				t.Errorf("cosign %s verify: %v\n%s", c.Version, err, out)
			}
			if out, err := sigstoretest.Command(t, cosign, append(append([]string{"verify-attestation", "--type=" + attest.ProvenanceType}, args...), ref)...); err != nil {
				t.Errorf("cosign %s verify-attestation: %v\n%s", c.Version, err, out)
			}
		}
	}
}

// swapStamps gives every stored signature the timestamp of another one.
func swapStamps(r *release) *release {
	const key = "dev.sigstore.cosign/rfc3161timestamp"
	out := &release{name: r.name, index: r.index, images: r.images}
	for i, s := range r.subjects {
		other := r.subjects[(i+1)%len(r.subjects)].Stored
		if s.Stored.Signatures != nil {
			s.Stored.Signatures = annotated(s.Stored.Signatures, key, must(other.Signatures.Manifest()).Layers[0].Annotations[key])
			s.Stored.Attestations = annotated(s.Stored.Attestations, key, must(other.Attestations.Manifest()).Layers[0].Annotations[key])
		}
		var bundles []v1.Image
		for _, b := range s.Stored.Bundles {
			bundles = append(bundles, restamped(b, other.Bundles[0]))
		}
		s.Stored.Bundles = bundles
		out.subjects = append(out.subjects, s)
	}
	return out
}

func annotated(img v1.Image, key, value string) v1.Image {
	var add []mutate.Addendum
	for _, d := range must(img.Manifest()).Layers {
		annotations := maps.Clone(d.Annotations)
		annotations[key] = value
		add = append(add, mutate.Addendum{Layer: must(img.LayerByDigest(d.Digest)), Annotations: annotations, MediaType: d.MediaType})
	}
	return must(mutate.Append(emptyImage, add...))
}

// restamped is a bundle with another one's timestamps.
func restamped(img, other v1.Image) v1.Image {
	read := func(img v1.Image) (b map[string]any) {
		if err := json.Unmarshal(readAll(must(must(img.Layers())[0].Compressed())), &b); err != nil {
			panic(err)
		}
		return b
	}
	b := read(img)
	b["verificationMaterial"].(map[string]any)["timestampVerificationData"] = read(other)["verificationMaterial"].(map[string]any)["timestampVerificationData"]
	return must(mutate.Append(emptyImage, mutate.Addendum{Layer: static.NewLayer(must(json.Marshal(b)), attest.BundleType), MediaType: attest.BundleType}))
}

// otherKey is a key that has signed nothing.
func otherKey(t testing.TB) *attest.PublicKey {
	_, public := newKey(t)
	return public
}
