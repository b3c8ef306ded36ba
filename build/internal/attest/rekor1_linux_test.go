package attest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	rekortypes "github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
)

// rekor1 is a log of version 1, with the keys and proofs of sigstore-go's virtual one
// and Rekor's own canonical entries: the real server needs a database.
func rekor1(t testing.TB, v *ca.VirtualSigstore) *httptest.Server {
	t.Helper()
	id := must(v.RekorLogID())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/log/entries" {
			http.NotFound(w, r)
			return
		}
		entry, err := func() (*models.LogEntryAnon, error) {
			proposed, err := models.UnmarshalProposedEntry(r.Body, runtime.JSONConsumer())
			if err != nil {
				return nil, err
			}
			impl, err := rekortypes.UnmarshalEntry(proposed)
			if err != nil {
				return nil, err
			}
			body, err := rekortypes.CanonicalizeEntry(r.Context(), impl)
			if err != nil {
				return nil, err
			}
			now, index, encoded := time.Now().Unix(), int64(0), base64.StdEncoding.EncodeToString(body)
			set, err := v.RekorSignPayload(tlog.RekorPayload{Body: encoded, IntegratedTime: now, LogIndex: index, LogID: id})
			if err != nil {
				return nil, err
			}
			proof, err := v.GetInclusionProof(body)
			if err != nil {
				return nil, err
			}
			return &models.LogEntryAnon{
				Body: encoded, IntegratedTime: &now, LogIndex: &index, LogID: &id,
				Verification: &models.LogEntryAnonVerification{InclusionProof: proof, SignedEntryTimestamp: set},
			}, nil
		}()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		uuid := hex.EncodeToString(make([]byte, 40))
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("ETag", uuid)
		w.WriteHeader(http.StatusCreated)
		if err := json.NewEncoder(w).Encode(models.LogEntry{uuid: *entry}); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// A log of version 1 vouches for the time too, and both forms carry its entry: no
// timestamp authority is needed, and nothing is waived. Keys' signatures can be logged
// as well.
func TestRekor1(t *testing.T) {
	v := must(ca.NewVirtualSigstore())
	log := rekor1(t, v)
	issuer := sigstoretest.NewIssuer(t)
	fulcio, authority := sigstoretest.NewFulcio(t, email, issuer.URL, 5*time.Minute)
	services := attest.Services{Logs: []attest.Log{{URL: log.URL, Version: 1}}}
	trustedRoot := must(root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, nil, nil, v.RekorLogs()))

	keyless, err := attest.NewKeylessSigner(attest.Keyless{Fulcio: fulcio, Token: attest.TokenSource{Value: issuer.Token(email)}.Token}, services)
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := attest.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.OpenKey(t.Context(), "env://KEY", attest.KeyOptions{LookupEnv: func(string) (string, bool) { return string(private), true }})
	if err != nil {
		t.Fatal(err)
	}
	byKey, err := attest.NewSigner(key, services)
	if err != nil {
		t.Fatal(err)
	}
	unlogged, err := attest.NewSigner(key, attest.Services{})
	if err != nil {
		t.Fatal(err)
	}
	keyTrust := attest.Trust{Keys: []*attest.PublicKey{key.Public()}, TrustedRoot: trustedRoot, RequireLog: true}

	for name, test := range map[string]struct {
		signer *attest.Signer
		trust  attest.Trust
	}{
		"keyless": {keyless, attest.Trust{Identities: []attest.Identity{{Subject: email, Issuer: issuer.URL}}, TrustedRoot: trustedRoot, AllowNoSCT: true}},
		"key":     {byKey, keyTrust},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t, "registry.example/acme/api")
			r.sign(t, test.signer, attest.Options{Trust: test.trust})
			p := policy()
			p.Trust = test.trust
			p.Forms = forms["both"]
			if _, err := attest.Verify(t.Context(), r.material(), p); err != nil {
				t.Error(err)
			}
			for _, again := range r.sign(t, test.signer, attest.Options{Trust: test.trust}) {
				if again.Made != 0 {
					t.Errorf("%s was signed again", again.Digest)
				}
			}
		})
	}

	// An entry that somebody made up is refused, and does not bring verification down.
	for _, made := range []string{`{"Payload":{"body":1}}`, `{"Payload":{"body":""}}`, `{}`, `[]`} {
		r := newRelease(t, "registry.example/acme/api")
		r.sign(t, byKey, attest.Options{Forms: []attest.Form{attest.Tags}})
		m := r.material()
		m.Root.Stored.Signatures = annotated(m.Root.Stored.Signatures, "dev.sigstore.cosign/bundle", made)
		m.Root.Stored.Attestations = annotated(m.Root.Stored.Attestations, "dev.sigstore.cosign/bundle", made)
		p := policy()
		p.Trust = keyTrust
		if _, err := attest.Verify(t.Context(), m, p); !errors.Is(err, attest.ErrRefused) {
			t.Errorf("%s: %v", made, err)
		}
	}

	r := newRelease(t, "registry.example/acme/api")
	r.sign(t, unlogged, attest.Options{})
	p := policy()
	p.Trust = keyTrust
	if _, err := attest.Verify(t.Context(), r.material(), p); !errors.Is(err, attest.ErrRefused) || !strings.Contains(err.Error(), "transparency log") {
		t.Error(err)
	}
}
