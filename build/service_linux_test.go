package build_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// TestServiceInDocker runs the image of sample-service as strictly as clusters
// do, and asks every endpoint. Then it leaves out one need after the other, and
// wants the endpoint that has it to fail.
func TestServiceInDocker(t *testing.T) {
	requireDocker(t)
	repo := sampleService(t)
	known, unknown := newAuthority(t), newAuthority(t)
	if err := os.WriteFile(filepath.Join(repo, "test-ca.pem"), known.pem, 0o644); err != nil {
		t.Fatal(err)
	}
	trusted, untrusted := known.serve(t), unknown.serve(t)

	config := build.Config{
		Repository: "thimble.test",
		Defaults: build.ImageConfig{
			CACertificates: []string{"test-ca.pem"},
			Runtime: build.Runtime{
				Args: []string{"serve"}, Ports: []string{"8080"},
				Healthcheck: &build.Healthcheck{Command: []string{"healthcheck"}, Interval: time.Second, Timeout: 5 * time.Second, Retries: 3},
			},
		},
	}
	fetch := func(server *httptest.Server) string { return "/fetch?url=" + url.QueryEscape(server.URL) }
	strict := []string{"--cap-drop=ALL", "--read-only", "--tmpfs=/tmp", "--security-opt=no-new-privileges"}

	ref := loadImage(t, repo, config)
	for name, user := range map[string][]string{"nonroot": nil, "a random user of group 0": {"--user=1234567890:0"}} {
		t.Run(name, func(t *testing.T) {
			c := runContainer(t, ref, slices.Concat(strict, user)...)
			for _, ask := range []struct {
				method, path string
				status       int
				body         string
			}{
				{"GET", "/healthz", 200, ""},
				{"GET", "/readyz", 200, ""},
				{"GET", "/time?zone=Europe/Berlin", 200, "Europe/Berlin"},
				{"GET", "/time?zone=Nowhere/AtAll", 400, ""},
				{"GET", fetch(trusted), 200, "sha256"},
				{"GET", fetch(untrusted), 502, "certificate"},
				{"POST", "/upload", 200, ""},
				{"GET", "/metrics", 200, "go_goroutines"},
				{"GET", "/version", 200, "sample-service"},
			} {
				if status, body := c.ask(t, ask.method, ask.path); status != ask.status || !strings.Contains(body, ask.body) {
					t.Errorf("%s %s: %d %s, want %d with %q", ask.method, ask.path, status, body, ask.status, ask.body)
				}
			}
			c.awaitHealthy(t)
			c.stop(t)
		})
	}

	// The same with a writable root and without a tmpfs, which would stand in for
	// what is left out.
	config.Defaults.CACertificates = nil
	for _, without := range []struct {
		need, method, path string
		status             int
	}{
		{plan.NeedZoneinfo, "GET", "/time?zone=Europe/Berlin", 500},
		{plan.NeedTmp, "POST", "/upload", 500},
		{plan.NeedCACertificates, "GET", fetch(trusted), 502},
	} {
		t.Run("without "+without.need, func(t *testing.T) {
			config.Defaults.Exclude = []string{without.need}
			c := runContainer(t, loadImage(t, repo, config))
			if status, body := c.ask(t, without.method, without.path); status != without.status {
				t.Errorf("%s: %d %s, want %d", without.path, status, body, without.status)
			}
			if status, _ := c.ask(t, "GET", "/healthz"); status != 200 {
				t.Errorf("/healthz: %d", status)
			}
			c.stop(t)
			if without.need != plan.NeedCACertificates {
				return
			}
			// Nobody here has a key that Mozilla trusts; but with a file in the place
			// of the one that is left out the same image answers.
			mounted := filepath.Join(repo, "test-ca.pem") + ":/etc/ssl/certs/ca-certificates.crt:ro"
			c = runContainer(t, loadImage(t, repo, config), "--volume="+mounted)
			if status, body := c.ask(t, without.method, without.path); status != 200 {
				t.Errorf("%s with a file of certificates: %d %s", without.path, status, body)
			}
			c.stop(t)
		})
	}
	config.Defaults.Exclude = nil
	t.Run("with every need", func(t *testing.T) {
		c := runContainer(t, loadImage(t, repo, config))
		if status, body := c.ask(t, "GET", "/time?zone=Europe/Berlin"); status != 200 {
			t.Errorf("/time: %d %s", status, body)
		}
		if status, body := c.ask(t, "POST", "/upload"); status != 200 {
			t.Errorf("/upload: %d %s", status, body)
		}
		c.stop(t)
	})
}

func requireDocker(t *testing.T) {
	t.Helper()
	testtool.Docker(t)
}

// loadImage makes the image, loads it into Docker and returns its reference.
func loadImage(t *testing.T, repo string, config build.Config) string {
	t.Helper()
	result, err := build.Image(t.Context(), settings{SkipTests: true, Load: true, Options: build.Options{
		Config: config, Workdir: repo, Env: environment(), Cache: cacheFolder(t)}}.image())
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Loaded) != 1 || result.Loaded[0].Engine != "docker" {
		t.Fatalf("loaded = %+v", result.Loaded)
	}
	ref := result.Images[0].Reference
	t.Cleanup(func() { removeImage(ref) })
	return ref
}

func removeImage(ref string) { _, _ = testtool.Output("", nil, "docker", "image", "rm", "-f", ref) }

// container is a running container of sample-service on the host's network.
type container struct{ id, address string }

func runContainer(t *testing.T, ref string, options ...string) container {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	args := slices.Concat([]string{
		"run", "-d", "--network=host", "-e", "SAMPLE_ADDR=" + address, "-e", "SAMPLE_ALLOW_PRIVATE_FETCH=true", "-e", "SAMPLE_SHUTDOWN_TIMEOUT=5s",
	}, options, []string{ref})
	c := container{strings.TrimSpace(docker(t, args...)), address}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := testtool.Command(t, "docker", "logs", c.id).CombinedOutput()
			t.Logf("the container said:\n%s", out)
		}
		_ = testtool.Command(t, "docker", "rm", "-f", c.id).Run()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return c
		}
		time.Sleep(50 * time.Millisecond)
	}
	out, _ := testtool.Command(t, "docker", "logs", c.id).CombinedOutput()
	t.Fatalf("the container does not listen:\n%s", out)
	return c
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := testtool.Command(t, "docker", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func (c container) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader(strings.Repeat("upload ", 1000))
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.address+path, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (c container) awaitHealthy(t *testing.T) {
	t.Helper()
	status := ""
	for range 200 {
		if status = strings.TrimSpace(docker(t, "inspect", "--format", "{{.State.Health.Status}}", c.id)); status == "healthy" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("the health is %q", status)
}

// stop sends SIGTERM, and wants the service to end by itself before the deadline
// at which Docker kills it, with status 0.
func (c container) stop(t *testing.T) {
	t.Helper()
	docker(t, "stop", "--time=20", c.id)
	var state struct {
		ExitCode  int
		OOMKilled bool
	}
	if err := json.Unmarshal([]byte(docker(t, "inspect", "--format", "{{json .State}}", c.id)), &state); err != nil {
		t.Fatal(err)
	}
	if state.ExitCode != 0 {
		t.Errorf("SIGTERM ended it with status %d; 137 means that it did not heed it", state.ExitCode)
	}
}

// authority is a certificate authority of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "thimble test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// serve starts a server on loopback with a certificate of the authority.
func (a authority) serve(t *testing.T) *httptest.Server {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
