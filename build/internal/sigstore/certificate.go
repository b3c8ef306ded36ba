package sigstore

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sigstore/sigstore-go/pkg/sign"

	"github.com/thimble-build/thimble/build/internal/attest"
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
func (c *certificate) GetCertificate(ctx context.Context, pair sign.Keypair,
	_ *sign.CertificateProviderOptions) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaf != nil && time.Until(c.expiry) > margin {
		return c.leaf, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("get identity token: %w", err)
	}
	claims, err := attest.ReadClaims(token)
	if err == nil {
		err = claims.Expired()
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
