package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// Issuer is a small OpenID Connect issuer that supports device logins (RFC 8628).
type Issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	// polled counts the requests of a device for its token: at the first one, the code has not
	// been entered yet.
	polled atomic.Int32
}

// UserCode is the code that a user enters for a device, and Device identifies the device.
const (
	UserCode = "WDJB-MJHT"
	Device   = "device@example.com"
)

// NewIssuer starts an issuer that ends with the test.
func NewIssuer(t testing.TB) *Issuer {
	t.Helper()
	i := &Issuer{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	b64 := base64.RawURLEncoding.EncodeToString
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w,
			`{"issuer":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["ES256"],"response_types_supported":["id_token"],"subject_types_supported":["public"],`+
				`"device_authorization_endpoint":%q,"token_endpoint":%q,"code_challenge_methods_supported":["S256"]}`, i.URL, i.URL+"/keys", i.URL+"/device", i.URL+"/token")
	})
	mux.HandleFunc("/device", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w,
			`{"device_code":"of-the-device","user_code":%q,"verification_uri":%q,"interval":0,"expires_in":60}`, UserCode, i.URL+"/type-it-in")
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.PostFormValue("device_code") != "of-the-device" || r.PostFormValue("client_id") != "sigstore":
			fmt.Fprint(w, `{"error":"access_denied"}`)
		case i.polled.Add(1) == 1:
			fmt.Fprint(w, `{"error":"authorization_pending"}`)
		default:
			fmt.Fprintf(w, `{"id_token":%q}`, i.Token(Device))
		}
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		point := must(i.key.PublicKey.Bytes()) // 4, X, Y
		fmt.Fprintf(w,
			`{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"1","x":%q,"y":%q}]}`,
			b64(point[1:33]), b64(point[33:]))
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// Token returns an identity token for an email address, for the audience "sigstore" and ten
// minutes.
func (i *Issuer) Token(email string) string {
	return i.TokenUntil(email, time.Now().Add(10*time.Minute))
}

// TokenUntil returns a token with another expiry.
func (i *Issuer) TokenUntil(email string, expiry time.Time) string {
	b64 := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(
		`{"iss":%q,"sub":%q,"aud":"sigstore","email":%q,"email_verified":true,"iat":%d,"exp":%d}`,
		i.URL, email, email, expiry.Add(-10*time.Minute).Unix(), expiry.Unix())
	signed := b64([]byte(`{"alg":"ES256","kid":"1","typ":"JWT"}`)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}
