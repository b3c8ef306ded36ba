package verifykit

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// authority is a certificate authority of a trusted root; chain is in PEM, the root last.
type authority struct{ organization, name, url, chain string }

func newAuthority(url string, chain ...*x509.Certificate) authority {
	a := authority{url: url}
	for _, c := range chain {
		if c != nil {
			a.chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
			a.name = c.Subject.CommonName
			a.organization = strings.Join(c.Subject.Organization, " ")
		}
	}
	// policy-controller requires both.
	if a.name == "" {
		a.name = url
	}
	if a.organization == "" {
		a.organization = a.name
	}
	return a
}

func (r Release) certificateAuthorities() (all []authority) {
	if r.Trust.TrustedRoot == nil {
		return nil
	}
	for _, ca := range r.Trust.TrustedRoot.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			all = append(all, newAuthority(f.URI, append(slices.Clone(f.Intermediates), f.Root)...))
		}
	}
	return all
}

// timestampAuthorities are those that the release has used, if any.
func (r Release) timestampAuthorities() (all []authority) {
	if r.Trust.TrustedRoot == nil || len(r.TimestampAuthorities) == 0 {
		return nil
	}
	for _, tsa := range r.Trust.TrustedRoot.TimestampingAuthorities() {
		if s, ok := tsa.(*root.SigstoreTimestampingAuthority); ok {
			all = append(all, newAuthority(s.URI, append(append([]*x509.Certificate{s.Leaf}, s.Intermediates...), s.Root)...))
		}
	}
	return all
}

// transparencyLog is a log of a trusted root; key is in PEM.
type transparencyLog struct{ url, key string }

// logs are those that the release has used, if any.
func (r Release) logs() []transparencyLog {
	if r.Trust.TrustedRoot == nil || len(r.Logs) == 0 {
		return nil
	}
	return transparencyLogs(r.Trust.TrustedRoot.RekorLogs())
}

func transparencyLogs(logs map[string]*root.TransparencyLog) (all []transparencyLog) {
	for _, l := range logs {
		key, err := cryptoutils.MarshalPublicKeyToPEM(crypto.PublicKey(l.PublicKey))
		if err == nil { // it was read from such a text
			all = append(all, transparencyLog{l.BaseURL, string(key)})
		}
	}
	slices.SortFunc(all, func(a, b transparencyLog) int { return strings.Compare(a.url+a.key, b.url+b.key) })
	return all
}
