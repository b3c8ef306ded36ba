package verifykit

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// authority is a certificate authority of a trusted root; chain is in PEM, the root last.
type authority struct{ organization, name, url, chain string }

func newAuthority(of attest.Authority) authority {
	a := authority{url: of.URL}
	for _, c := range of.Chain {
		if c != nil {
			a.chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
			a.name = c.Subject.CommonName
			a.organization = strings.Join(c.Subject.Organization, " ")
		}
	}
	// policy-controller requires both.
	if a.name == "" {
		a.name = of.URL
	}
	if a.organization == "" {
		a.organization = a.name
	}
	return a
}

func (r Release) certificateAuthorities() []authority {
	return authorities(r.Trust.Root().CertificateAuthorities)
}

// timestampAuthorities are those that the release has used, if any.
func (r Release) timestampAuthorities() []authority {
	if len(r.TimestampAuthorities) == 0 {
		return nil
	}
	return authorities(r.Trust.Root().TimestampAuthorities)
}

func authorities(of []attest.Authority) (all []authority) {
	for _, a := range of {
		all = append(all, newAuthority(a))
	}
	return all
}

// transparencyLog is a log of a trusted root; key is in PEM.
type transparencyLog struct{ url, key string }

// logs are those that the release has used, if any.
func (r Release) logs() []transparencyLog {
	if len(r.Logs) == 0 {
		return nil
	}
	return transparencyLogs(r.Trust.Root().Logs)
}

func transparencyLogs(logs []attest.LogKey) (all []transparencyLog) {
	for _, l := range logs {
		der, err := x509.MarshalPKIXPublicKey(l.Key)
		if err == nil { // it was read from such a text
			all = append(all, transparencyLog{l.URL,
				string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
		}
	}
	slices.SortFunc(all, func(a, b transparencyLog) int { return strings.Compare(a.url+a.key, b.url+b.key) })
	return all
}
