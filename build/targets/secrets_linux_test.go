package targets_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// planted are secrets, by the place where they lie.
var planted = map[string]string{}

// plant makes a secret for a place.
func plant(place string) string {
	planted[place] = fmt.Sprintf("s3cret-%02d-%x", len(planted), place)
	return planted[place]
}

// TestSecrets plants a secret wherever a user has one, releases with stock settings, and
// looks for them in everything that comes out: what is printed, the arguments of every
// process, the output folder, the cache, and what the registry was sent.
func TestSecrets(t *testing.T) {
	strace := testtool.Program(t, "strace")
	home, repo, cache := t.TempDir(), filepath.Join(t.TempDir(), "hello"), t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login := plant("docker config")
	front := &askingRegistry{next: registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))), user: "dev", password: login, body: plant("error bodies")}
	server := httptest.NewUnstartedServer(front)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")

	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(repo, ".gitignore"), ".env\ndist\n")
	write(filepath.Join(repo, ".env"), "TOKEN="+plant("ignored file")+"\n")
	write(filepath.Join(home, ".netrc"), "machine git.example.com login me password "+plant("netrc")+"\n")
	write(filepath.Join(home, ".gitconfig"), "[http]\n\textraHeader = Authorization: Bearer "+plant("git config")+"\n")
	write(filepath.Join(home, ".docker", "config.json"), fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("dev:"+login))))
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "a commit"}, {"tag", "v1.2.3"},
		{"remote", "add", "origin", "https://me:" + plant("git remote") + "@git.example.com/acme/hello.git?token=" + planted["git remote"]},
	} {
		cmd := testtool.Command(t, "git", args...)
		cmd.Dir, cmd.Env = repo, append(os.Environ(), environment()...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git: %v\n%s", err, out)
		}
	}
	env := append(environment(),
		"PATH="+tools+string(filepath.ListSeparator)+os.Getenv("PATH"), "HOME="+home, "XDG_CACHE_HOME="+cache, "TMPDIR="+t.TempDir(), "GIT_CONFIG_GLOBAL="+filepath.Join(home, ".gitconfig"),
		"THIMBLE_REPOSITORY="+host+"/acme", "THIMBLE_KEY=cosign.key", "THIMBLE_TOKEN="+plant("a variable of ours that is none"),
		"COSIGN_PASSWORD="+plant("password of the key"),
		"GOPROXY=https://me:"+plant("GOPROXY")+"@proxy.example.com", "GOPRIVATE=git.example.com",
		"HTTPS_PROXY=http://me:"+plant("HTTPS_PROXY")+"@proxy.example.com", "HTTP_PROXY=http://me:"+planted["HTTPS_PROXY"]+"@proxy.example.com",
		"AWS_SECRET_ACCESS_KEY="+plant("AWS"), "VAULT_TOKEN="+plant("Vault"), "GITHUB_TOKEN="+plant("GitHub"),
		"CI=true", "GITLAB_CI=true", "CI_JOB_TOKEN="+plant("GitLab"), "CI_PROJECT_URL=https://job:"+plant("CI's URL")+"@gitlab.example.com/acme/hello", "CI_RUNNER_ID=7",
		"CI_JOB_URL=https://gitlab.example.com/acme/hello/-/jobs/9?private_token="+planted["CI's URL"],
	)
	// mage runs a target, and looks for secrets in what it prints and starts.
	mage := func(extra []string, args ...string) (string, error) {
		t.Helper()
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := testtool.Command(t, strace, append([]string{"-f", "-qq", "-e", "trace=execve", "-e", "signal=none", "-s", "100000", "-o", trace, filepath.Join(tools, "mage")}, args...)...)
		cmd.Dir, cmd.Env = repo, append(env[:len(env):len(env)], extra...)
		out, err := cmd.CombinedOutput()
		search(t, "the output of "+args[0], out)
		started, readErr := os.ReadFile(trace)
		if readErr != nil || !bytes.Contains(started, []byte("execve")) {
			t.Fatalf("strace: %v\n%s", readErr, started)
		}
		search(t, "the arguments of "+args[0], started)
		return string(out), err
	}
	// folder looks for secrets in the files below a folder.
	folder := func(dir string) (all []byte) {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all = append(all, search(t, path, b)...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}

	if out, err := mage(nil, "keys"); err != nil {
		t.Fatal(out)
	}
	key, err := os.ReadFile(filepath.Join(repo, "cosign.key"))
	if err != nil {
		t.Fatal(err)
	}
	planted["the key"] = strings.Split(string(key), "\n")[1] // of its PEM
	if err := os.Rename(filepath.Join(repo, "cosign.key"), filepath.Join(home, "cosign.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(repo, "cosign.pub")); err != nil {
		t.Fatal(err)
	}
	env = append(env, "THIMBLE_KEY="+filepath.Join(home, "cosign.key"))

	// What goes wrong tells nothing.
	for _, wrong := range []struct {
		extra []string
		says  string
	}{
		{[]string{"GOFLAGS=-ldflags=-X=main.token=" + plant("GOFLAGS")}, "GOFLAGS has -ldflags, which"},
		{[]string{"GOFLAGS=-ldflags=-X main.token=" + planted["GOFLAGS"]}, "GOFLAGS has -ldflags, which"},
		{[]string{"GOFLAGS='-ldflags=-X main.token=" + planted["GOFLAGS"] + "'"}, "GOFLAGS has -ldflags, which"},
		{[]string{"COSIGN_PASSWORD=" + plant("wrong password")}, "password"},
		{[]string{"THIMBLE_KEY=" + string(key)}, "this is the text of a key"},
		{[]string{"THIMBLE_REPOSITORY=https://me:" + plant("the repository's URL") + "@" + host + "/acme"}, "the repository is a URL, or has credentials"},
		{[]string{"DOCKER_CONFIG=" + repo}, "401 unauthorized; log in"},
	} {
		if out, err := mage(wrong.extra, "release"); err == nil || !strings.Contains(out, wrong.says) {
			t.Errorf("%v, want %q:\n%s", err, wrong.says, out)
		}
	}
	for _, at := range []string{"/blobs/uploads/", "/manifests/sha256", "/manifests/v1.2.3"} {
		front.refuse(at)
		if out, err := mage(nil, "release"); err == nil || !strings.Contains(out, "403 forbidden") {
			t.Errorf("%v, want a refusal of %s:\n%s", err, at, out)
		}
	}
	front.refuse("")
	out, err := mage(nil, "release")
	if err != nil {
		t.Fatal(out)
	}
	if out, err := mage(nil, "verify", host+"/acme/hello:v1.2.3", "-key="+filepath.Join(repo, "dist", "verify", "cosign.pub"), "-json"); err != nil {
		t.Error(out)
	}
	// The place of a secret is found in all of them, so the search looks where it must.
	const public = "git.example.com/acme/hello"
	if !bytes.Contains(folder(filepath.Join(repo, "dist")), []byte(public)) {
		t.Errorf("%s is not in dist", public)
	}
	folder(filepath.Join(cache, "thimble"))
	front.mu.Lock()
	defer front.mu.Unlock()
	if !bytes.Contains(search(t, "what the registry was sent", front.sent.Bytes()), []byte(public)) {
		t.Errorf("%s was not sent to the registry", public)
	}
	for _, blob := range front.blobs {
		search(t, "what the registry was sent", blob)
	}
}

var base64Text = regexp.MustCompile(`[A-Za-z0-9+/]{40,}={0,2}`)

// search looks for the secrets in something, also where it is compressed or in base64,
// and returns it with what was unpacked from it.
func search(t *testing.T, where string, b []byte) []byte {
	t.Helper()
	all := bytes.Clone(b)
	if r, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
		unpacked, err := io.ReadAll(r)
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
		all = append(all, unpacked...)
	}
	for _, text := range base64Text.FindAll(b, -1) {
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		if n, err := base64.StdEncoding.Decode(decoded, text); err == nil {
			all = append(all, decoded[:n]...)
		}
	}
secrets:
	for place, secret := range planted {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte("dev:" + secret))} {
			if i := bytes.Index(all, []byte(form)); i >= 0 {
				t.Errorf("%s has the secret of %s: …%q…", where, place, all[max(0, i-80):min(len(all), i+len(form)+20)])
				continue secrets
			}
		}
	}
	return all
}

// askingRegistry wants a password, keeps what it is sent, and writes secrets into its
// refusals.
type askingRegistry struct {
	next           http.Handler
	user, password string
	body           string

	mu    sync.Mutex
	at    string // refuse writing there
	sent  bytes.Buffer
	blobs [][]byte
}

func (a *askingRegistry) refuse(at string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = at
}

func (a *askingRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	user, password, ok := r.BasicAuth()
	a.mu.Lock()
	fmt.Fprintln(&a.sent, r.Method, r.URL, r.UserAgent())
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		a.blobs = append(a.blobs, body)
	} else {
		a.sent.Write(body)
	}
	refused := a.at != "" && strings.Contains(r.URL.Path, a.at) && r.Method != http.MethodGet && r.Method != http.MethodHead
	a.mu.Unlock()
	if r.URL.Path == "/v2/" && !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+a.body+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, a.body)
		return
	}
	if user != a.user || password != a.password {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"errors":[{"code":"UNAUTHORIZED","message":%q,"detail":%q}]}`, a.body, r.Header.Get("Authorization"))
		return
	}
	if refused {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, `{"errors":[{"code":"DENIED","message":%q,"detail":%q}]}`, a.body, r.Header.Get("Authorization"))
		return
	}
	a.next.ServeHTTP(w, r)
}
