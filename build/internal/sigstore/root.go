package sigstore

import (
	"crypto/x509"
	"slices"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// ParseTrustedRoot reads Sigstore's trusted_root.json.
func (Library) ParseTrustedRoot(json []byte) (any, error) { return root.NewTrustedRootFromJSON(json) }

// ReadRoot returns what a trusted root contains.
func (Library) ReadRoot(trusted any) (out attest.Root) {
	from := trusted.(root.TrustedMaterial)
	for _, ca := range from.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			out.CertificateAuthorities = append(out.CertificateAuthorities, attest.Authority{
				URL: f.URI, Chain: append(slices.Clone(f.Intermediates), f.Root),
			})
		}
	}
	for _, tsa := range from.TimestampingAuthorities() {
		if s, ok := tsa.(*root.SigstoreTimestampingAuthority); ok {
			out.TimestampAuthorities = append(out.TimestampAuthorities, attest.Authority{
				URL: s.URI, Chain: append(append([]*x509.Certificate{s.Leaf}, s.Intermediates...), s.Root),
			})
		}
	}
	out.Logs, out.CTLogs = logKeys(from.RekorLogs()), logKeys(from.CTLogs())
	return out
}

func logKeys(logs map[string]*root.TransparencyLog) (all []attest.LogKey) {
	for _, l := range logs {
		all = append(all, attest.LogKey{URL: l.BaseURL, Key: l.PublicKey})
	}
	return all
}
