package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
)

// NewFulcio starts a separate certificate authority with Fulcio's API, until the test ends. It
// issues certificates for an email address that are valid for ten minutes and expire after the
// given time, without checking who requests them.
func NewFulcio(t testing.TB, email, issuerURL string,
	expiry time.Duration) (url string, ca root.CertificateAuthority) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caCert := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template,
		key.Public(), key))))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			PublicKeyRequest struct{ PublicKey struct{ Content string } }
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		block, _ := pem.Decode([]byte(req.PublicKeyRequest.PublicKey.Content))
		leaf := must(x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: now.Add(expiry - 10*time.Minute),
			NotAfter: now.Add(expiry), EmailAddresses: []string{email},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
			ExtraExtensions: []pkix.Extension{
				{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuerURL)},
				{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8},
					Value: must(asn1.MarshalWithParams(issuerURL, "utf8"))},
			},
		}, caCert, must(x509.ParsePKIXPublicKey(block.Bytes)), key))
		var res struct {
			SignedCertificateEmbeddedSct struct {
				Chain struct {
					Certificates []string `json:"certificates"`
				} `json:"chain"`
			} `json:"signedCertificateEmbeddedSct"`
		}
		res.SignedCertificateEmbeddedSct.Chain.Certificates = []string{string(
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}))}
		if err := json.NewEncoder(w).Encode(res); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, &root.FulcioCertificateAuthority{Root: caCert, ValidityPeriodStart: caCert.NotBefore,
		URI: server.URL}
}
