// Package registrytest starts registries on loopback for tests: the in-process one of
// go-containerregistry, the reference implementation, and Debian's old one; and a proxy in front
// of any of them that records the requests and lets a test change them. All end with the test.
// Only tests import it.
package registrytest

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

var quiet = log.New(io.Discard, "", 0) // tests break connections

// Serve serves a handler on loopback, and returns its host and port.
func Serve(t testing.TB, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return strings.TrimPrefix(s.URL, "http://")
}

// Handler returns an empty registry in memory, with or without the referrers API.
func Handler(referrers bool) http.Handler {
	return registry.New(registry.Logger(quiet), registry.WithReferrersSupport(referrers))
}

// InProcess serves a Handler.
func InProcess(t testing.TB, referrers bool) string { return Serve(t, Handler(referrers)) }

// Distribution runs the current reference implementation, without the referrers API.
func Distribution(t testing.TB) string {
	t.Helper()
	return run(t, testtool.Tool(t, "github.com/distribution/distribution/v3/cmd/registry", "v3.1.2", ""))
}

// Debian runs docker-registry 2.8, from before OCI 1.1.
func Debian(t testing.TB) string {
	t.Helper()
	return run(t, testtool.Program(t, "docker-registry"))
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// run runs a registry program on a free port.
func run(t testing.TB, program string) string {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yml")
	ok(t, os.WriteFile(config, fmt.Appendf(nil, `version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
`, filepath.Join(folder, "data")), 0o644))
	cmd := exec.Command(program, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	said, err := cmd.StderrPipe()
	ok(t, err)
	cmd.Stdout = cmd.Stderr
	ok(t, cmd.Start())
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		defer close(read)
		var all bytes.Buffer
		buf := make([]byte, 4096)
		for {
			n, err := said.Read(buf)
			all.Write(buf[:n])
			if found := listening.FindSubmatch(all.Bytes()); found != nil {
				address <- string(found[1])
				break
			} else if err != nil {
				address <- ""
				t.Errorf("%s ended: %s", program, all.Bytes())
				return
			}
		}
		_, _ = io.Copy(io.Discard, said)
	}()
	select {
	case found := <-address:
		if found == "" {
			t.FailNow()
		}
		return found
	case <-time.After(testtool.Limit()):
		t.Fatalf("waited %v for %s to listen", testtool.Limit(), program)
		return ""
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
