package attest

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"
)

// margin is the remaining validity that a certificate needs to be used: enough time for the
// timestamp and the log entry of one signature.
const margin = time.Minute

// certificate gets a certificate, and a new one only when it expires.
type certificate struct {
	fulcio *sign.Fulcio
	url    string
	token  func(context.Context) (string, error)
	status *status

	mu     sync.Mutex
	leaf   []byte // DER
	expiry time.Time
}

// GetCertificate returns the certificate for the key, in DER.
func (c *certificate) GetCertificate(ctx context.Context, pair sign.Keypair, _ *sign.CertificateProviderOptions) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaf != nil && time.Until(c.expiry) > margin {
		return c.leaf, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("get identity token: %w", err)
	}
	claims, err := readClaims(token)
	if err == nil {
		err = claims.expired()
	}
	if err != nil {
		return nil, fmt.Errorf("get certificate of %s: %w", c.url, err)
	}
	c.status.last = ""
	leaf, err := c.fulcio.GetCertificate(ctx, pair, &sign.CertificateProviderOptions{IDToken: token})
	switch {
	case err != nil && c.status.last != "":
		// Its body may contain the token.
		return nil, fmt.Errorf("get certificate of %s: it answered %s to %s", c.url, c.status.last, claims)
	case err != nil:
		return nil, fmt.Errorf("get certificate of %s: %w", c.url, err)
	}
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return nil, fmt.Errorf("get certificate of %s: %w", c.url, err)
	}
	c.leaf, c.expiry = leaf, cert.NotAfter
	return leaf, nil
}

// status records the status of the last error answer. The body of such an answer is dropped.
type status struct {
	next http.RoundTripper
	last string
}

func (s *status) RoundTrip(r *http.Request) (*http.Response, error) {
	next := s.next
	if next == nil {
		next = http.DefaultTransport
	}
	s.last = ""
	res, err := next.RoundTrip(r)
	if err == nil && res.StatusCode != http.StatusOK {
		s.last = fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return res, err
}

// claims are the unverified claims of an identity token; Fulcio verifies them.
type claims struct {
	Issuer   string          `json:"iss"`
	Audience json.RawMessage `json:"aud"` // a string or several
	Expiry   float64         `json:"exp"` // seconds since 1970
}

// readClaims reads a token. Its errors contain no part of the token.
func readClaims(token string) (claims, error) {
	var c claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("the identity token is not a JSON Web Token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return c, errors.New("the identity token is not a JSON Web Token")
	}
	return c, nil
}

// expired returns an error if the token can no longer be used.
func (c claims) expired() error {
	if expiry := c.expiry(); !expiry.IsZero() && !time.Now().Before(expiry) {
		return fmt.Errorf("the identity token expired at %s; get a new one", expiry.UTC().Format(time.RFC3339))
	}
	return nil
}

// CheckToken returns the issuer of an identity token, or an error if the token is malformed or
// expired. Only Fulcio verifies it.
func CheckToken(token string) (issuer string, err error) {
	c, err := readClaims(token)
	if err != nil {
		return "", err
	}
	return c.Issuer, c.expired()
}

func (c claims) expiry() time.Time {
	if c.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(int64(c.Expiry), 0)
}

// String returns the claims that Fulcio uses for its decision.
func (c claims) String() string {
	audience := strings.Trim(string(c.Audience), `[]"`)
	return fmt.Sprintf("a token of issuer %q for audience %q; it must accept both", c.Issuer, audience)
}
