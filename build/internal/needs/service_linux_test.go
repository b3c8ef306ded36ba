package needs

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// sample-service, with every endpoint asked, opens nothing that its report does
// not give, and opens files of the three needs that its README names.
func TestNoFileOfSampleServiceIsMissing(t *testing.T) {
	requireStrace(t)
	dir := t.TempDir()
	goBuildIn(t, filepath.Join("..", "..", "..", "sample-service"), dir, runtime.GOARCH, "./cmd/sample-service")
	binary := filepath.Join(dir, "sample-service")

	remote := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "hello")
	}))
	defer remote.Close()
	address := freeAddress(t)
	trace := newTrace(t, binary, "serve", "--addr", address, "--allow-private-fetch")
	// The test's own certificate comes in a folder besides the system's file.
	trace.brought = t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: remote.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(trace.brought, "remote.pem"), certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	trace.cmd.Env = append(trace.cmd.Env, "SSL_CERT_DIR="+trace.brought)
	var output strings.Builder
	trace.cmd.Stdout, trace.cmd.Stderr = &output, &output
	if err := trace.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			trace.cmd.Process.Kill()
			trace.cmd.Wait()
		}
	}()

	base := "http://" + address
	awaitOK(t, base+"/readyz")
	port := remote.URL[strings.LastIndex(remote.URL, ":"):]
	fetch := func(host string) string { return base + "/fetch?url=" + url.QueryEscape("https://"+host+port+"/") }
	for _, c := range []struct {
		method, url string
		status      int
	}{
		{"GET", base + "/healthz", http.StatusOK},
		{"GET", base + "/time?zone=Europe/Berlin", http.StatusOK},
		{"GET", fetch("127.0.0.1"), http.StatusOK},
		{"GET", fetch("localhost"), http.StatusBadGateway}, // resolved, but not in the certificate
		{"POST", base + "/upload", http.StatusOK},
		{"GET", base + "/metrics", http.StatusOK},
		{"GET", base + "/version", http.StatusOK},
	} {
		if got, body := ask(t, c.method, c.url); got != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.url, got, c.status, body)
		}
	}
	if err := syscall.Kill(trace.pid(t), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := trace.cmd.Wait()
	ended = true
	if err != nil {
		t.Errorf("%v\n%s", err, output.String())
	}

	used := trace.check(t, scanFile(t, binary))
	for _, name := range []string{plan.NeedCACertificates, plan.NeedTmp, plan.NeedZoneinfo} {
		if !used[name] {
			t.Errorf("it opened nothing of %s, but %v", name, trace.opened(t))
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// awaitOK asks until the server is up.
func awaitOK(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if res, err := http.Get(url); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("GET %s: no answer within a minute", url)
}

func ask(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("some content"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}

// pid is the traced program's: strace names a log after each thread, and the
// first one's begins with the program's start.
func (tr trace) pid(t *testing.T) int {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(tr.dir, "log.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(content), "execve(") {
			pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(log), "."))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("strace has not started the program")
	return 0
}
