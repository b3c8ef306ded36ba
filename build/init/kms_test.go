package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// transit stands in for the transit engine of Vault: it has the one key "release", and answers only
// with the token.
type transit struct {
	key *ecdsa.PrivateKey

	mu    sync.Mutex
	signs int
}

const transitToken = "s.the-token-of-the-vault"

func (v *transit) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply := func(data map[string]any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data}) // a client that has gone
	}
	if r.Header.Get("X-Vault-Token") != transitToken {
		http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		return
	}
	path, _ := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	switch {
	case path == "keys/release" && r.Method == http.MethodGet:
		public, err := cryptoutils.MarshalPublicKeyToPEM(v.key.Public())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(map[string]any{
			"type": "ecdsa-p256", "latest_version": 1,
			"keys": map[string]any{"1": map[string]any{"name": "P-256", "public_key": string(public)}},
		})
	case strings.HasPrefix(path, "sign/release"):
		var in struct {
			Input     []byte `json:"input"`
			Prehashed bool   `json:"prehashed"`
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &in)
		}
		var sig []byte
		if err == nil {
			sig, err = v.key.Sign(rand.Reader, in.Input, crypto.SHA256)
		}
		if err != nil || !in.Prehashed {
			http.Error(w, `{"errors":["bad request"]}`, http.StatusBadRequest)
			return
		}
		v.mu.Lock()
		v.signs++
		v.mu.Unlock()
		reply(map[string]any{"signature": "vault:v1:" + base64.StdEncoding.EncodeToString(sig)})
	default:
		http.NotFound(w, r)
	}
}

func (v *transit) signed() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.signs
}

// The provider that a user imports in magefiles/kms.go signs a release: go mod tidy keeps it, the
// signing program contains it, and the token of the service reaches it. Without a network, the
// program is compiled from the module cache.
func TestKeyManagementService(t *testing.T) {
	testtool.OnRequest(t, "minutes: it compiles the code that signs, with a provider")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vault := &transit{key: key}
	server := httptest.NewServer(vault)
	defer server.Close()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	repo, home := filepath.Join(dir, "svc"), filepath.Join(dir, "home")
	magefiles := filepath.Join(repo, "magefiles")
	// The go command's folders are this machine's: the kit is compiled from its checkout.
	known, err := testtool.Output("", nil, "go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(known)
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOENV=off", "GOFLAGS=", "GOTOOLCHAIN=local",
		"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1],
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"THIMBLE_PLATFORMS=linux/amd64", "VAULT_ADDR=" + server.URL, "VAULT_TOKEN=" + transitToken,
	}
	online := "GOPROXY=" + lines[2]
	run := func(folder string, more []string, args ...string) (string, error) {
		t.Helper()
		cmd := testtool.Command(t, args[0], args[1:]...)
		cmd.Dir, cmd.Env = folder, append(append([]string{}, env...), more...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(folder string, more []string, args ...string) string {
		t.Helper()
		out, err := run(folder, more, args...)
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(repo, "go.mod"), "module example.com/svc\n\ngo 1.26\n")
	write(filepath.Join(repo, "main.go"), "package main\n\nfunc main() { println(\"svc\") }\n")
	must(repo, nil, "git", "init", "-q", "-b", "main")
	must(repo, []string{online}, published.checkout)
	commit := func(tag string) {
		t.Helper()
		must(repo, nil, "git", "add", "-A")
		must(repo, nil, "git", "commit", "-q", "-m", tag)
		must(repo, nil, "git", "tag", tag)
	}
	commit("v1.0.0")
	mage := func(more []string, args ...string) (string, error) {
		t.Helper()
		return run(repo, more, append([]string{"go", "run", "./magefiles/mage.go"}, args...)...)
	}
	managed := []string{online, "THIMBLE_KEY=hashivault://release"}
	out, err := mage(managed, "release", "-test=false")
	if err == nil || !strings.Contains(out, "the provider of hashivault:// is not linked; add this import to magefiles/kms.go") {
		t.Errorf("without the provider: %v\n%s", err, out)
	}

	text, err := os.ReadFile(filepath.Join(magefiles, "kms.go"))
	if err != nil {
		t.Fatal(err)
	}
	const provider = "github.com/sigstore/sigstore/pkg/signature/kms/hashivault"
	write(filepath.Join(magefiles, "kms.go"), string(text)+"\nimport _ \""+provider+"\"\n")
	for range 2 { // the second time, it has nothing to change
		must(magefiles, []string{online, "GOWORK=off"}, "go", "mod", "tidy")
		mod, err := os.ReadFile(filepath.Join(magefiles, "go.mod"))
		if err != nil || !strings.Contains(string(mod), provider+" v") {
			t.Fatalf("go mod tidy removed the provider, %v:\n%s", err, mod)
		}
	}
	list := []string{"go", "list", "-deps", "-tags=mage"}
	if out := must(magefiles, []string{online, "GOWORK=off"}, append(list, ".")...); strings.Contains(out, "kms/hashivault") {
		t.Error("the targets contain the provider, which only signing needs")
	}
	commit("v1.0.1")
	if out, err := mage([]string{online, "THIMBLE_KEY=hashivault://other"}, "release", "-test=false"); err == nil || vault.signed() > 0 {
		t.Errorf("a key that the service does not have: %v\n%s", err, out)
	}
	if out, err := mage(managed, "release", "-test=false"); err != nil || vault.signed() == 0 {
		t.Fatalf("the service has signed %d times, %v\n%s", vault.signed(), err, out)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "vault.pub"), string(public))
	if out, err := mage([]string{online}, "verify", filepath.Join("dist", "oci", "svc"), "-key="+filepath.Join(dir, "vault.pub")); err != nil {
		t.Errorf("verify what the service has signed: %v\n%s", err, out)
	}

	// Offline, from what the module cache has.
	programs, err := filepath.Glob(filepath.Join(home, ".cache", "thimble-magefiles", "*", "*-sign*"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("the signing program is not found: %q, %v", programs, err)
	}
	for _, program := range programs {
		if err := os.Remove(program); err != nil {
			t.Fatal(err)
		}
	}
	offline := []string{"GOPROXY=http://127.0.0.1:9", "THIMBLE_KEY=hashivault://release"}
	before := vault.signed()
	if out, err := mage(offline, "release", "-test=false", "-offline"); err != nil || vault.signed() == before {
		t.Errorf("offline, the service has signed %d times: %v\n%s", vault.signed()-before, err, out)
	}
	for _, program := range programs {
		if _, err := os.Stat(program); err != nil && !strings.HasSuffix(program, ".lock") {
			t.Errorf("it was not compiled again: %v", err)
		}
	}

	// A vendor folder has all packages of the program.
	must(magefiles, []string{online, "GOWORK=off"}, "go", "mod", "vendor")
	tagged := []string{"go", "list", "-deps", "-tags=mage,thimble_sign", "-mod=vendor", "."}
	if out := must(magefiles, []string{"GOPROXY=off", "GOWORK=off", "GOMODCACHE=" + filepath.Join(dir, "empty")}, tagged...); !strings.Contains(out, provider) ||
		!strings.Contains(out, "github.com/thimble-build/thimble/build/signing") {
		t.Errorf("the vendor folder lacks the signing code:\n%s", out)
	}
}
