package targets_test

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestVerifyWithoutSigstore verifies what an identity has released after its Sigstore and
// its issuer are gone: what is stored and the trusted root are enough, for an image in a
// registry and, in a namespace without any network, for one in a layout.
func TestVerifyWithoutSigstore(t *testing.T) {
	sigstoretest.Build(t)
	if !sigstoretest.InNamespace(t) {
		return
	}
	const email = "release@example.com"
	s := sigstoretest.New(t)
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	dir := t.TempDir()
	repo, trusted := filepath.Join(dir, "hello"), filepath.Join(dir, "root.json")
	write := func(file string, content any) {
		t.Helper()
		b, err := json.Marshal(content)
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(trusted, s.TrustedRoot(s.CA))
	command := func(name string, args ...string) (string, error) {
		t.Helper()
		cmd := testtool.Command(t, name, args...)
		cmd.Dir = repo
		cmd.Env = append(environment(), "PATH="+os.Getenv("PATH"), "HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "SIGSTORE_ID_TOKEN="+s.Issuer.Token(email))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(name string, args ...string) {
		t.Helper()
		if out, err := command(name, args...); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	}
	mage := filepath.Join(tools, "mage")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	config := build.Config{Repository: host + "/acme", Release: build.ReleaseConfig{
		Keyless: &build.Keyless{Fulcio: s.Fulcio, NoCertificateLog: true}, TrustedRoot: trusted,
		Logs: []build.TransparencyLog{{URL: s.Rekor, Version: 2}}, TimestampAuthorities: []string{s.TSA},
	}}
	write(filepath.Join(repo, "thimble.json"), config)
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "a commit"}, {"tag", "v1.2.3"}} {
		must("git", args...)
	}
	must(mage, "release", "-test=false")
	config.Repository = ""
	write(filepath.Join(repo, "thimble.json"), config)
	must(mage, "release", "-test=false", "-allowDirty")

	s.Stop()
	for _, service := range []string{s.Fulcio, s.TSA, s.Rekor, s.Issuer.URL} {
		u, err := url.Parse(service)
		if err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", u.Host); err == nil {
			_ = conn.Close()
			t.Fatalf("%s answers", service)
		}
	}
	if err := os.Remove(filepath.Join(repo, "thimble.json")); err != nil { // a stranger has none of it
		t.Fatal(err)
	}
	verify := func(before []string, ref, identity string) (string, error) {
		t.Helper()
		args := append(before, mage, "verify", ref, "-identity="+identity, "-issuer="+s.Issuer.URL, "-trustedRoot="+trusted, "-noCertificateLog")
		return command(args[0], args[1:]...)
	}
	for _, image := range []struct {
		before []string
		ref    string
	}{
		{nil, host + "/acme/hello:v1.2.3"},
		{[]string{"unshare", "-n"}, "dist/oci/hello"},
	} {
		out, err := verify(image.before, image.ref, email)
		if err != nil || !strings.Contains(out, "signature                  by "+email+" of "+s.Issuer.URL) {
			t.Errorf("%s: %v\n%s", image.ref, err, out)
		}
		out, err = verify(image.before, image.ref, "other@example.com")
		if err == nil || !strings.Contains(out, "it is signed by "+email+" of "+s.Issuer.URL+", not by other@example.com") {
			t.Errorf("%s: %v, want another identity refused\n%s", image.ref, err, out)
		}
	}
}
