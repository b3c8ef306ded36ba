package attest_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	"golang.org/x/sys/unix"
)

// inNamespace runs the test in a network namespace of its own, as another process,
// since some of Sigstore's servers bind their metrics to every interface. It says
// whether this is that process.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("ATTEST_TEST_NETNS") == "1" {
		if err := loopbackUp(); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "ATTEST_TEST_NETNS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Start()
	require(t, err == nil, "network namespaces")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Log(out.String())
	return false
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifreq, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifreq.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifreq)
}

// issuer is a small OpenID Connect issuer.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	b64 := base64.RawURLEncoding.EncodeToString
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["ES256"],"response_types_supported":["id_token"],"subject_types_supported":["public"]}`, i.URL, i.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		point := must(i.key.PublicKey.Bytes()) // 4, X, Y
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"1","x":%q,"y":%q}]}`, b64(point[1:33]), b64(point[33:]))
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token is an identity token for an email address.
func (i *issuer) token(email string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"sigstore","email":%q,"email_verified":true,"iat":%d,"exp":%d}`,
		i.URL, email, email, time.Now().Unix(), time.Now().Add(10*time.Minute).Unix())
	signed := b64([]byte(`{"alg":"ES256","kid":"1","typ":"JWT"}`)) + "." + b64([]byte(claims))
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, sum[:])
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// sigstore is a private one: Fulcio, a timestamp authority and a Rekor log.
type sigstore struct {
	issuer             *issuer
	fulcio, tsa, rekor string
	ca                 root.CertificateAuthority
	tsaRoot            root.TimestampingAuthority
	logs               map[string]*root.TransparencyLog
}

func freePort() int {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// serve starts a server, waits until the URL answers, and ends it with the test.
func serve(t testing.TB, ready, file string, args ...string) {
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
	t.Cleanup(func() { cancel(); <-ended })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if res, err := http.Get(ready); err == nil {
			res.Body.Close()
			if res.StatusCode < 500 {
				return
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
	return readAll(res.Body)
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

// sigstoreTools are built before the namespace cuts off the network.
func sigstoreTools(t testing.TB) (fulcio, tsa, rekor string) {
	fulcio = tool(t, "github.com/sigstore/fulcio", "v1.8.8", "")
	tsa = tool(t, "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server", "v2.0.6", "")
	rekor = tool(t, "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix", "v2.2.1", "go1.27.1")
	return fulcio, tsa, rekor
}

func newSigstore(t testing.TB) *sigstore {
	t.Helper()
	fulcio, tsa, rekor := sigstoreTools(t)
	s := &sigstore{issuer: newIssuer(t)}
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

	config := write("fulcio.json", []byte(fmt.Sprintf(`{"OIDCIssuers":{%q:{"IssuerURL":%q,"ClientID":"sigstore","Type":"email"}}}`, s.issuer.URL, s.issuer.URL)))
	p, url := port()
	grpc, _ := port()
	metrics, _ := port()
	s.fulcio = url
	serve(t, url+"/api/v2/trustBundle", fulcio, "serve", "--ca", "ephemeralca", "--ct-log-url", "", "--host", "127.0.0.1", "--port", p,
		"--grpc-host", "127.0.0.1", "--grpc-port", grpc, "--metrics-port", metrics, "--config-path", config)
	var bundle struct {
		Chains []struct{ Certificates []string }
	}
	if err := json.Unmarshal(get(url+"/api/v2/trustBundle"), &bundle); err != nil {
		t.Fatal(err)
	}
	ca := certificates([]byte(bundle.Chains[0].Certificates[0]))[0]
	s.ca = &root.FulcioCertificateAuthority{Root: ca, ValidityPeriodStart: ca.NotBefore, URI: url}

	p, url = port()
	s.tsa = url + "/api/v1/timestamp"
	serve(t, s.tsa+"/certchain", tsa, "serve", "--host", "127.0.0.1", "--port", p, "--timestamp-signer", "memory", "--disable-ntp-monitoring")
	chain := certificates(get(s.tsa + "/certchain"))
	s.tsaRoot = &root.SigstoreTimestampingAuthority{
		Leaf: chain[0], Intermediates: chain[1 : len(chain)-1], Root: chain[len(chain)-1],
		ValidityPeriodStart: chain[0].NotBefore, URI: s.tsa,
	}

	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyFile := write("rekor.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(private))}))
	p, url = port()
	grpc, _ = port()
	metrics, _ = port()
	s.rekor = url
	serve(t, url+"/healthz", rekor, "serve", "--http-address", "127.0.0.1", "--http-port", p, "--grpc-address", "127.0.0.1", "--grpc-port", grpc,
		"--http-metrics-port", metrics, "--hostname", "127.0.0.1", "--storage-dir", filepath.Join(dir, "log"), "--signer-filepath", keyFile, "--checkpoint-interval", "1s")
	_, id, err := rekornote.KeyHash("127.0.0.1", public)
	if err != nil {
		t.Fatal(err)
	}
	s.logs = map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: url, ID: id, ValidityPeriodStart: time.Now().Add(-time.Hour), HashFunc: crypto.SHA256, PublicKey: public, SignatureHashFunc: crypto.SHA512,
	}}
	return s
}

func (s *sigstore) trustedRoot(cas ...root.CertificateAuthority) *root.TrustedRoot {
	return must(root.NewTrustedRoot(root.TrustedRootMediaType01, cas, nil, []root.TimestampingAuthority{s.tsaRoot}, s.logs))
}
