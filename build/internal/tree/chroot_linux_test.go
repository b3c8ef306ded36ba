package tree

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// unpack writes a tree into a folder as a container engine does.
func unpack(t *testing.T, tr *Tree, dir string) {
	t.Helper()
	for _, e := range readTar(t, tr) {
		p := filepath.Join(dir, e.Name)
		var err error
		switch {
		case strings.HasSuffix(e.Name, "/"):
			err = os.MkdirAll(p, 0o755)
		case e.Typeflag == '1':
			err = os.Link(filepath.Join(dir, e.Linkname), p)
		default:
			err = os.WriteFile(p, []byte(e.content), 0o644)
		}
		if err == nil {
			err = os.Chown(p, e.Uid, e.Gid)
		}
		if err == nil {
			err = os.Chmod(p, fileMode(uint32(e.Mode)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A static Go program finds everything in a root file system that holds these
// trees and nothing else, and nothing in an empty one.
func TestGoFindsTheFiles(t *testing.T) {
	testtool.Require(t, os.Getuid() == 0, "root, for chroot")
	reader := filepath.Join(t.TempDir(), "reader")
	build := testtool.Command(t, "go", "build", "-o", reader, "./testdata/reader")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the reader: %v\n%s", err, out)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()

	module := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(module, "corp.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	assets, err := Assets(module, plan.Image{CACertificates: []string{"corp.crt"}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mozilla []byte
	for root := range bundle.Roots() {
		if cert, err := x509.ParseCertificate(root.Certificate); err == nil && strings.Contains(cert.Subject.String(), "ISRG Root X1") {
			mozilla = root.Certificate
		}
	}

	full, empty := t.TempDir(), t.TempDir()
	for _, dir := range []string{full, empty} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "reader"), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	unpack(t, rootfs(t, plan.Needs...), full)
	unpack(t, assets, full)

	questions := []struct{ question, want string }{
		{"zone=Europe/Berlin", "1970-01-01T01:00:00+01:00"},
		{"zone=Asia/Calcutta", "1970-01-01T05:30:00+05:30"},
		{"trusts=" + hex.EncodeToString(mozilla), "<nil>"},
		{"get=" + server.URL, "200 OK"},
		{"user=65532", "nonroot /home/nonroot"},
		{"group=65532", "nonroot"},
		{"mime=.yaml", "application/yaml"},
		{"mime=.md", "text/markdown; charset=utf-8"},
		{"port=tcp/postgresql", "5432"},
		{"port=udp/syslog", "514"},
		{"protocol=sctp", "known"},
		{"temp=", "<nil>"},
		{"temp=/home/nonroot", "<nil>"},
	}
	var args []string
	for _, q := range questions {
		args = append(args, q.question)
	}
	ask := func(dir string, uid, gid uint32) []string {
		t.Helper()
		cmd := testtool.Command(t, "/reader", args...)
		cmd.Dir = "/"
		cmd.Env = []string{"SSL_CERT_FILE=" + CertificateFile}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: uid, Gid: gid}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	// The image's own user, and a random one in group 0, as OpenShift has it.
	for _, user := range [][2]uint32{{65532, 65532}, {1000680000, 0}} {
		for i, got := range ask(full, user[0], user[1]) {
			if got != questions[i].want {
				t.Errorf("user %d: %.40s gives %q, want %q", user[0], questions[i].question, got, questions[i].want)
			}
		}
	}
	for i, got := range ask(empty, 65532, 65532) {
		if got == questions[i].want {
			t.Errorf("without any file, %.40s gives %q too: the question shows nothing", questions[i].question, got)
		}
	}
}
