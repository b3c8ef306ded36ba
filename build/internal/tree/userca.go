package tree

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// maxCAFile bounds a file of CA certificates, in bytes.
const maxCAFile = 4 << 20

// addUserCAs adds the certificates of each PEM file as a separate file in the folder that Go's
// crypto/x509 and nearly every other TLS library read besides SSL_CERT_FILE.
func addUserCAs(t *Tree, root *os.Root, names []string) error {
	var nodes []Node
	for _, name := range names {
		source, err := cleanSource(name)
		if err != nil {
			return fmt.Errorf("CA certificates %s: %w", name, err)
		}
		certs, err := readCertificates(root, source)
		if err != nil {
			return fmt.Errorf("CA certificates %s: %w", name, err)
		}
		var content bytes.Buffer
		for _, cert := range certs {
			if err := writeCertificate(&content, cert); err != nil {
				return err
			}
		}
		nodes = append(nodes, Bytes(userCAPath(source), 0o644, content.Bytes()))
	}
	if len(nodes) == 0 {
		return nil
	}
	return t.AddComponent(Component{
		Name:        "user-ca-certificates",
		Description: "CA certificates from the service's source tree",
	}, nodes...)
}

// userCAPath returns a path that shows the origin of the certificates: those of certs/corp.pem
// are in thimble-certs-corp.pem.
func userCAPath(source string) string {
	name := strings.TrimSuffix(source, path.Ext(source))
	return path.Join(certificateDir, "thimble-"+strings.ReplaceAll(name, "/", "-")+".pem")
}

// readCertificates reads a PEM file that must contain only certificates: a private key must not
// get into an image by accident.
func readCertificates(root *os.Root, source string) ([]*x509.Certificate, error) {
	info, err := root.Stat(filepath.FromSlash(source))
	if err != nil {
		return nil, sourceError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := openIn(root.Name(), source)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	rest, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err != nil {
		return nil, sourceError(err)
	}
	if len(rest) > maxCAFile {
		return nil, fmt.Errorf("more than %d MiB", maxCAFile>>20)
	}
	// pem.Decode skips blocks that it cannot read, so they are counted.
	expected := bytes.Count(rest, []byte("-----BEGIN "))
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %s, not a CERTIFICATE", len(certs)+1, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if expected != len(certs) {
		return nil, fmt.Errorf("only %d of its %d PEM blocks can be read", len(certs), expected)
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM block in it")
	}
	return certs, nil
}
