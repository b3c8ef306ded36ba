package sigstoretest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Sigstore is a private one: Fulcio, a timestamp authority and a Rekor log.
type Sigstore struct {
	Issuer *Issuer
	// Fulcio, TSA and Rekor are URLs; TSA's is that of its endpoint.
	Fulcio, TSA, Rekor string
	// CA is Fulcio's.
	CA root.CertificateAuthority

	authority root.TimestampingAuthority
	logs      map[string]*root.TransparencyLog
	stop      []func()
}

// Stop ends all of the services and the issuer.
func (s *Sigstore) Stop() {
	for _, stop := range s.stop {
		stop()
	}
}

func freePort() int {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// serve starts a server, waits until the URL answers, and ends it with the test, or when stop is
// called.
func serve(t testing.TB, ready, file string, args ...string) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir = t.TempDir()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(ready); err == nil {
			res.Body.Close()
			if res.StatusCode < 500 {
				return stop
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", filepath.Base(file), err, &out)
		default:
		}
		if time.Now().After(deadline) {
			cancel()
			ended <- <-ended
			t.Fatalf("%s does not answer at %s\n%s", filepath.Base(file), ready, &out)
		}
	}
}

func get(url string) []byte {
	res := must(http.Get(url))
	if res.StatusCode != http.StatusOK {
		panic(url + ": " + res.Status)
	}
	defer res.Body.Close()
	return must(io.ReadAll(res.Body))
}

func certificates(pemBytes []byte) []*x509.Certificate {
	var out []*x509.Certificate
	for {
		var block *pem.Block
		if block, pemBytes = pem.Decode(pemBytes); block == nil {
			return out
		}
		out = append(out, must(x509.ParseCertificate(block.Bytes)))
	}
}

// Build builds the servers once. Call it before a namespace cuts off the network.
func Build(t testing.TB) (fulcio, tsa, rekor string) {
	fulcio = testtool.Tool(t, "github.com/sigstore/fulcio", "v1.8.8", "")
	tsa = testtool.Tool(t, "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server", "v2.0.6", "")
	rekor = testtool.Tool(t, "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix",
		"v2.2.1", "go1.27.1")
	return fulcio, tsa, rekor
}

// New starts the services; they end with the test. It must run inside a namespace.
func New(t testing.TB) *Sigstore {
	t.Helper()
	fulcio, tsa, rekor := Build(t)
	s := &Sigstore{Issuer: NewIssuer(t)}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	port := func() (string, string) {
		p := strconv.Itoa(freePort())
		return p, "http://127.0.0.1:" + p
	}

	config := write("fulcio.json", []byte(fmt.Sprintf(
		`{"OIDCIssuers":{%q:{"IssuerURL":%q,"ClientID":"sigstore","Type":"email"}}}`,
		s.Issuer.URL, s.Issuer.URL)))
	p, url := port()
	grpc, _ := port()
	metrics, _ := port()
	s.Fulcio = url
	stop := serve(t, url+"/api/v2/trustBundle", fulcio, "serve", "--ca", "ephemeralca", "--ct-log-url", "",
		"--host", "127.0.0.1", "--port", p,
		"--grpc-host", "127.0.0.1", "--grpc-port", grpc, "--metrics-port", metrics, "--config-path", config)
	var bundle struct {
		Chains []struct{ Certificates []string }
	}
	if err := json.Unmarshal(get(url+"/api/v2/trustBundle"), &bundle); err != nil {
		t.Fatal(err)
	}
	ca := certificates([]byte(bundle.Chains[0].Certificates[0]))[0]
	s.CA = &root.FulcioCertificateAuthority{Root: ca, ValidityPeriodStart: ca.NotBefore, URI: url}

	p, url = port()
	s.TSA = url + "/api/v1/timestamp"
	stopTSA := serve(t, s.TSA+"/certchain", tsa, "serve", "--host", "127.0.0.1", "--port", p,
		"--timestamp-signer", "memory", "--disable-ntp-monitoring")
	chain := certificates(get(s.TSA + "/certchain"))
	s.authority = &root.SigstoreTimestampingAuthority{
		Leaf: chain[0], Intermediates: chain[1 : len(chain)-1], Root: chain[len(chain)-1],
		ValidityPeriodStart: chain[0].NotBefore, URI: s.TSA,
	}

	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write("rekor.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY",
		Bytes: must(x509.MarshalPKCS8PrivateKey(private))}))
	p, url = port()
	grpc, _ = port()
	metrics, _ = port()
	s.Rekor = url
	stopRekor := serve(t, url+"/healthz", rekor, "serve", "--http-address", "127.0.0.1", "--http-port", p,
		"--grpc-address", "127.0.0.1", "--grpc-port", grpc,
		"--http-metrics-port", metrics, "--hostname", "127.0.0.1", "--storage-dir", filepath.Join(dir, "log"),
		"--signer-filepath", keyFile, "--checkpoint-interval", "1s")
	s.stop = []func(){stop, stopTSA, stopRekor, s.Issuer.Close}
	_, id, err := rekornote.KeyHash("127.0.0.1", public)
	if err != nil {
		t.Fatal(err)
	}
	s.logs = map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: url, ID: id, ValidityPeriodStart: time.Now().Add(-time.Hour), HashFunc: crypto.SHA256,
		PublicKey: public, SignatureHashFunc: crypto.SHA512,
	}}
	return s
}

// TrustedRoot trusts the certificate authorities, and this Sigstore's timestamps and log.
func (s *Sigstore) TrustedRoot(cas ...root.CertificateAuthority) *root.TrustedRoot {
	return must(root.NewTrustedRoot(root.TrustedRootMediaType01, cas, nil,
		[]root.TimestampingAuthority{s.authority}, s.logs))
}
