package tree

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
	"golang.org/x/mod/module"
)

// CertificateFile is the path of Mozilla's roots in an image, for SSL_CERT_FILE. The user's CAs
// are separate files in the same folder, which Go's crypto/x509 reads too, so the layer with
// Mozilla's roots is the same for all images.
const CertificateFile = "/etc/ssl/certs/ca-certificates.crt"

const (
	certificateDir = "etc/ssl/certs"
	rootsModule    = "golang.org/x/crypto/x509roots/fallback"
)

// addRoots adds Mozilla's roots.
//
// It leaves out a root that Mozilla trusts only for certificates issued before some date. A PEM
// file has no field for the date, so including the root would trust it for more than Mozilla
// does. A user who needs it adds it as a CA of the service.
func addRoots(t *Tree) error {
	var file bytes.Buffer
	count, omitted := 0, []string{}
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return fmt.Errorf("read the certificates of %s: %w", rootsModule, err)
		}
		if root.Constraint != nil {
			omitted = append(omitted, cert.Subject.String())
			continue
		}
		count++
		if err := writeCertificate(&file, cert); err != nil {
			return err
		}
	}
	version := rootsVersion()
	description := fmt.Sprintf("%d root certificates that Mozilla trusts for TLS servers, from %s", count,
		rootsModule)
	if len(omitted) > 0 {
		description += ", without those that Mozilla trusts in part: " + strings.Join(omitted, "; ")
	}
	return t.AddComponent(Component{
		Name:    "mozilla-ca-certificates",
		Version: version,
		PURL:    genericPURL("mozilla-ca-certificates", version),
		// The licences of the module, and of Mozilla's list that it contains.
		License:          "BSD-3-Clause AND MPL-2.0",
		Supplier:         "Mozilla",
		DownloadLocation: rootsLocation(version),
		Description:      description,
	}, Bytes(strings.TrimPrefix(CertificateFile, "/"), 0o644, file.Bytes()))
}

// writeCertificate writes one certificate with a comment that names its subject.
func writeCertificate(w io.Writer, cert *x509.Certificate) error {
	// The CA chooses the name: it must not end the comment.
	subject := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, cert.Subject.String())
	if _, err := fmt.Fprintf(w, "# %s\n", subject); err != nil {
		return err
	}
	return pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// hashRoots writes all inputs of addRoots to w.
func hashRoots(w io.Writer) {
	fmt.Fprintf(w, "%q\n", rootsVersion())
	for root := range bundle.Roots() {
		fmt.Fprintf(w, "%t %x\n", root.Constraint != nil, sha256.Sum256(root.Certificate))
	}
}

// rootsVersion returns the version of the bundle's module, or a digest of the bundle if this
// program does not know its modules.
func rootsVersion() string {
	if v := moduleVersion(rootsModule); v != "" {
		return v
	}
	h := sha256.New()
	for root := range bundle.Roots() {
		h.Write(root.Certificate)
	}
	return "sha256-" + hex.EncodeToString(h.Sum(nil))
}

// rootsLocation returns the location of the bundle's source, in the form for git repositories of
// SPDX 2.3 clause 7.7.
func rootsLocation(version string) string {
	const repository = "git+https://go.googlesource.com/crypto"
	if rev, err := module.PseudoVersionRev(version); err == nil {
		return repository + "@" + rev + "#x509roots/fallback"
	}
	return repository + "#x509roots/fallback"
}

// moduleVersion returns the version of a module linked into this program; empty if unknown.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path != path {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		return m.Version
	}
	return ""
}
