package build_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

const email = "release@example.com"

// TestSigners releases with every kind of signer and record to a registry: the second
// run changes nothing there, a stranger verifies it, and refuses it for another signer,
// and the script beside it runs with stock clients.
func TestSigners(t *testing.T) {
	sigstoretest.Build(t)
	var clients []string
	for _, c := range sigstoretest.Cosigns {
		clients = append(clients, c.Build(t))
	}
	tester := sigstoretest.PolicyController(t)
	_, err := kyvernoSchema()
	testtool.Require(t, err == nil, fmt.Sprintf("Kyverno's module: %v", err))
	if !sigstoretest.InNamespace(t) {
		return
	}
	s := sigstoretest.New(t)
	dir := t.TempDir()
	trusted := writeRoot(t, filepath.Join(dir, "root.json"), s.TrustedRoot(s.CA))
	foreign := writeRoot(t, filepath.Join(dir, "foreign.json"), s.TrustedRoot(newFulcioCA(t)))
	token := filepath.Join(dir, "token")
	writeFile(t, token, s.Issuer.Token(email))
	key, pub := newKeyPair(t, dir, "cosign")
	other, otherPub := newKeyPair(t, dir, "other")
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("audience") != "sigstore" || r.Header.Get("Authorization") != "Bearer of-the-job" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `{"value":%q}`, s.Issuer.Token(email))
	}))
	t.Cleanup(github.Close)

	logs := []build.TransparencyLog{{URL: s.Rekor, Version: 2}}
	stamps := []string{s.TSA}
	identity := func(logged bool) *build.Keyless {
		return &build.Keyless{Fulcio: s.Fulcio, TokenFile: token, NoCertificateLog: true, NoTransparencyLog: !logged}
	}
	askedFor := &build.Keyless{Fulcio: s.Fulcio, NoCertificateLog: true}
	for _, test := range []struct {
		name        string
		config      build.ReleaseConfig
		env         []string
		noReferrers bool
	}{
		{name: "key", config: build.ReleaseConfig{Key: key}},
		{name: "key, bundle", config: build.ReleaseConfig{Key: key, Forms: []string{"bundle"}}},
		{name: "key, tag", config: build.ReleaseConfig{Key: key, Forms: []string{"tag"}}},
		{name: "key, log and timestamps", config: build.ReleaseConfig{Key: key, Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted}},
		{name: "key, log and timestamps, tag", config: build.ReleaseConfig{Key: key, Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: []string{"tag"}}},
		{name: "key, log", config: build.ReleaseConfig{Key: key, Logs: logs, TrustedRoot: trusted}},
		{name: "key, timestamps", config: build.ReleaseConfig{Key: key, TimestampAuthorities: stamps, TrustedRoot: trusted}},
		{name: "key, log that nobody trusts", config: build.ReleaseConfig{Key: key, Logs: logs}},
		{name: "identity", config: build.ReleaseConfig{Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted}},
		{name: "identity, fallback tags", noReferrers: true, config: build.ReleaseConfig{Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted}},
		{name: "identity, bundle", config: build.ReleaseConfig{Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: []string{"bundle"}}},
		{name: "identity, tag", config: build.ReleaseConfig{Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: []string{"tag"}}},
		{name: "identity, no log", config: build.ReleaseConfig{Keyless: identity(false), TimestampAuthorities: stamps, TrustedRoot: trusted}},
		{name: "identity, no log, tag", config: build.ReleaseConfig{Keyless: identity(false), TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: []string{"tag"}}},
		{name: "identity, no log, bundle", config: build.ReleaseConfig{Keyless: identity(false), TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: []string{"bundle"}}},
		{
			name: "identity of GitHub", config: build.ReleaseConfig{Keyless: askedFor, Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted},
			// GitHub comes before GitLab.
			env: []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + github.URL + "?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=of-the-job", "SIGSTORE_ID_TOKEN=not asked"},
		},
		{
			name: "identity of GitLab", config: build.ReleaseConfig{Keyless: askedFor, Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted},
			env: []string{"SIGSTORE_ID_TOKEN=" + s.Issuer.Token(email)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo := hello(t)
			host, writes := newRegistry(t, !test.noReferrers)
			o := settings{SkipTests: true, Options: build.Options{
				Config:  build.Config{Repository: host + "/acme", Release: test.config},
				Workdir: repo, Env: environment(append(test.env, "COSIGN_PASSWORD=secret")...), Cache: cacheFolder(t),
			}}
			r, err := build.Release(t.Context(), o.release())
			if err != nil {
				t.Fatal(err)
			}
			if len(writes()) == 0 {
				t.Fatal("the release wrote nothing to the registry")
			}
			if _, err := build.Release(t.Context(), o.release()); err != nil {
				t.Fatal(err)
			}
			if again := writes(); len(again) != 0 {
				t.Errorf("the second run wrote %q", again)
			}

			// A stranger has a Config of his own, and knows what it says here.
			stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
			ref := host + "/acme/hello:" + r.Images[0].Tags[0]
			keyless := test.config.Keyless != nil
			want := build.VerifyOptions{Keys: []string{pub}}
			if keyless {
				want = build.VerifyOptions{
					Identity: email, Issuer: s.Issuer.URL, TrustedRoot: trusted, NoCertificateLog: true,
					// The tags have no place for the log's entry.
					NoTransparencyLog: test.config.Keyless.NoTransparencyLog || slices.Equal(test.config.Forms, []string{"tag"}),
				}
			}
			if report, err := build.Verify(t.Context(), verifying(stranger.Options, want), ref); err != nil {
				t.Errorf("%v\n%+v", err, report)
			}
			refuse := func(reason string, change func(*build.VerifyOptions)) {
				t.Helper()
				other := want
				change(&other)
				if _, err := build.Verify(t.Context(), verifying(stranger.Options, other), ref); err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("%v, want %q", err, reason)
				}
			}
			if keyless {
				refuse("not by other@example.com", func(e *build.VerifyOptions) { e.Identity = "other@example.com" })
				refuse("of https://other.example", func(e *build.VerifyOptions) { e.Issuer = "https://other.example" })
				refuse("chain does not end in the trusted root", func(e *build.VerifyOptions) { e.TrustedRoot = foreign })
				refuse("certificate", func(e *build.VerifyOptions) { e.NoCertificateLog = false })
			} else {
				refuse("does not verify with the expected key", func(e *build.VerifyOptions) { e.Keys = []string{otherPub} })
			}

			if keyless {
				standsOn(t, ref, build.BaseSignature{
					Identity: email, Issuer: s.Issuer.URL, TrustedRoot: trusted, NoCertificateLog: true, NoTransparencyLog: want.NoTransparencyLog,
				})
			}

			checkScript(t, r.Dist, keyless && slices.Equal(test.config.Forms, []string{"tag"}), clients)
			if keyless {
				if !slices.Equal(test.config.Forms, []string{"bundle"}) {
					kyvernoTakes(t, filepath.Join(r.Dist, "verify", "kyverno.yaml"))
				}
				policy := filepath.Join(r.Dist, "verify", "policy-controller.yaml")
				trustRoot := "-trustroot=" + filepath.Join(r.Dist, "verify", "policy-controller-root.yaml")
				if _, err := os.Stat(policy); slices.Equal(test.config.Forms, []string{"bundle"}) && len(test.config.Logs) > 0 {
					if !errors.Is(err, fs.ErrNotExist) { // it could not be followed
						t.Errorf("there is a policy for policy-controller: %v", err)
					}
				} else {
					admitted(t, tester, ref, policy, trustRoot)
					notAdmitted(t, tester, ref, rewritten(t, policy, email, "other@example.com"), "no matching attestations", trustRoot)
				}
				script := filepath.Join(r.Dist, "verify", "verify.sh")
				writeFile(t, script, strings.ReplaceAll(readFile(t, script), email, "other@example.com"))
			} else {
				writeFile(t, filepath.Join(r.Dist, "verify", "cosign.pub"), readFile(t, otherPub))
			}
			for _, cosign := range clients {
				if out, err := runScript(t, r.Dist, cosign); err == nil {
					t.Errorf("%s passes for another signer\n%s", cosign, out)
				}
			}
		})
	}

	// Whoever signs the same images after somebody else signs all of them, in every form,
	// whomever Config trusts besides: the script that comes with each run passes.
	for name, forms := range map[string][]string{"both": nil, "bundle": {"bundle"}, "tag": {"tag"}} {
		t.Run("another signer, "+name, func(t *testing.T) {
			repo := hello(t)
			host, writes := newRegistry(t, true)
			keyless := build.ReleaseConfig{Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted, TrustKeys: []string{pub}}
			for i, config := range []build.ReleaseConfig{{Key: key}, keyless, {Key: other, TrustKeys: []string{pub}}, keyless, {Key: key}} {
				config.Forms = forms
				r, err := build.Release(t.Context(), settings{SkipTests: true, Options: build.Options{
					Config:  build.Config{Repository: host + "/acme", Release: config},
					Workdir: repo, Env: environment("COSIGN_PASSWORD=secret"), Cache: cacheFolder(t),
				}}.release())
				if err != nil {
					t.Fatal(err)
				}
				if first := i < 3; len(writes()) == 0 == first {
					t.Errorf("run %d: it writes something: %v, want %v", i+1, !first, first)
				}
				checkScript(t, r.Dist, config.Keyless != nil && name == "tag", clients)
			}
		})
	}

	// Without a registry the same is beside the images.
	for name, forms := range map[string][]string{"both": nil, "bundle": {"bundle"}, "tag": {"tag"}} {
		t.Run("layout, "+name, func(t *testing.T) {
			o := settings{SkipTests: true, Options: build.Options{
				Config: build.Config{Release: build.ReleaseConfig{
					Keyless: identity(true), Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted, Forms: forms,
				}},
				Workdir: hello(t), Env: environment(), Cache: cacheFolder(t),
			}}
			r, err := build.Release(t.Context(), o.release())
			if err != nil {
				t.Fatal(err)
			}
			want := build.VerifyOptions{Identity: email, Issuer: s.Issuer.URL, TrustedRoot: trusted, NoCertificateLog: true, NoTransparencyLog: name == "tag"}
			if _, err := build.Verify(t.Context(), verifying(build.Options{Workdir: r.Dist}, want), filepath.Join(r.Dist, r.Images[0].Layout)); err != nil {
				t.Error(err)
			}
			checkScript(t, r.Dist, name != "bundle", clients)
			if script := readFile(t, filepath.Join(r.Dist, "verify", "verify.sh")); strings.Contains(script, "mage verify") != (name == "bundle") {
				t.Errorf("verify.sh:\n%s", script)
			}
		})
	}

	// What cannot end well ends before the compiler runs, and tells no secret.
	t.Run("errors", func(t *testing.T) {
		echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "I do not like "+r.Header.Get("Authorization"), http.StatusForbidden)
		}))
		t.Cleanup(echo.Close)
		for _, test := range []struct {
			name   string
			want   string
			token  string // in the file; without it, there is no file
			change func(*build.ReleaseConfig)
			env    []string
		}{
			{name: "no token", want: "no identity token", change: func(c *build.ReleaseConfig) { c.Keyless.TokenFile = "" }},
			{name: "no token file", want: "no such file"},
			{name: "no JSON Web Token", want: "not a JSON Web Token", token: "planted-secret"},
			{name: "expired", want: "the identity token expired at 2", token: s.Issuer.TokenUntil(email, time.Now().Add(-time.Minute))},
			{name: "foreign", want: "Bad Request to a token of issuer", token: sigstoretest.NewIssuer(t).Token(email)},
			{name: "refused", want: "403 Forbidden to a token of issuer", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.Keyless.Fulcio = echo.URL }},
			{
				name: "GitHub refuses", want: "ask GitHub for an identity token: 403 Forbidden", change: func(c *build.ReleaseConfig) { c.Keyless.TokenFile = "" },
				env: []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + echo.URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN=planted-secret", "SIGSTORE_ID_TOKEN=" + s.Issuer.Token(email)},
			},
			{name: "foreign trusted root", want: "chain does not end in the trusted root", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.TrustedRoot = foreign }},
			{name: "no trusted root", want: "Config.Release.TrustedRoot", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.TrustedRoot = "" }},
			{name: "no certificate log", want: "certificate transparency log", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.Keyless.NoCertificateLog = false }},
			{name: "no log", want: "NoTransparencyLog", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.Logs = nil }},
			{name: "no time", want: "timestamp authority", token: s.Issuer.Token(email), change: func(c *build.ReleaseConfig) { c.TimestampAuthorities = nil }},
		} {
			t.Run(test.name, func(t *testing.T) {
				host, writes := newRegistry(t, true)
				k := identity(true)
				k.TokenFile = filepath.Join(t.TempDir(), "token")
				if test.token != "" {
					writeFile(t, k.TokenFile, test.token)
				}
				config := build.ReleaseConfig{Keyless: k, Logs: logs, TimestampAuthorities: stamps, TrustedRoot: trusted}
				if test.change != nil {
					test.change(&config)
				}
				repo := hello(t)
				var stages stages
				_, err := build.Release(t.Context(), settings{Options: build.Options{
					Config:  build.Config{Repository: host + "/acme", Release: config},
					Workdir: repo, Env: environment(test.env...), Cache: cacheFolder(t), Progress: &stages,
				}}.release())
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("%v, want %q", err, test.want)
				}
				for _, part := range append(strings.Split(test.token, "."), "planted-secret") {
					if part != "" && strings.Contains(err.Error(), part) {
						t.Errorf("%v tells the token", err)
					}
				}
				if slices.ContainsFunc(stages.started, func(s string) bool { return s != "resolve" && s != "preflight" }) {
					t.Errorf("the stages %q were started", stages.started)
				}
				if _, err := os.Stat(filepath.Join(repo, "dist")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the output folder: %v", err)
				}
				if w := writes(); slices.ContainsFunc(w, func(r string) bool { return strings.HasPrefix(r, "PUT") }) {
					t.Errorf("the registry was sent %q", w)
				}
			})
		}
	})
}

// stages notes what a run starts.
type stages struct {
	mu      sync.Mutex
	started []string
}

func (s *stages) Start(task string) func(string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, task)
	return func(string, error) {}
}

func (s *stages) Notice(string) {}

// hello is a git repository of the smallest service.
func hello(t *testing.T) string {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	git(t, repo, "tag", "v1.2.3")
	return repo
}

// standsOn puts another image on one that its base's signer has signed, and wants it
// refused where it should be another's, both when it is pinned and when it is first used.
func standsOn(t *testing.T, ref string, signer build.BaseSignature) {
	t.Helper()
	o := settings{SkipTests: true, Options: build.Options{Workdir: hello(t), Env: environment(), Cache: t.TempDir(), Platforms: []string{"linux/amd64"}}}
	o.Config.Defaults.Base, o.Config.Defaults.BaseSignature = ref, &signer
	other := o
	wrong := signer
	wrong.Identity = "other@example.com"
	other.Config.Defaults.BaseSignature = &wrong
	if _, err := build.Lock(t.Context(), other.Options); err == nil || !strings.Contains(err.Error(), "not by other@example.com") {
		t.Errorf("a base that somebody else signed is pinned: %v", err)
	}
	if _, err := build.Lock(t.Context(), o.Options); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Image(t.Context(), other.image()); err == nil || !strings.Contains(err.Error(), "not by other@example.com") {
		t.Errorf("a base that somebody else signed is used: %v", err)
	}
	if _, err := build.Image(t.Context(), o.image()); err != nil {
		t.Errorf("a base with its signer's identity: %v", err)
	}
}

// newRegistry is a registry on loopback, and what was asked of it to write since the
// last call.
func newRegistry(t *testing.T, referrers bool) (host string, writes func() []string) {
	t.Helper()
	handler := registry.New(registry.WithReferrersSupport(referrers), registry.Logger(log.New(io.Discard, "", 0)))
	var mu sync.Mutex
	var list []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut || r.Method == http.MethodPatch {
			mu.Lock()
			list = append(list, r.Method+" "+r.URL.Path)
			mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := list
		list = nil
		return out
	}
}

// checkScript wants the script to pass with the clients. Version 2 verifies no
// attestation of an identity in a tag, and the script says so.
func checkScript(t *testing.T, dist string, identityInTag bool, clients []string) {
	t.Helper()
	header := "with cosign, 2.6 or 3."
	if identityInTag {
		header = "with cosign, 3."
	}
	if script := readFile(t, filepath.Join(dist, "verify", "verify.sh")); !strings.Contains(script, header) {
		t.Errorf("verify.sh does not say %q:\n%s", header, script)
	}
	for _, cosign := range clients {
		out, err := runScript(t, dist, cosign)
		if identityInTag && strings.Contains(cosign, "@v2.") {
			if err == nil || !strings.Contains(out, "only supported with --new-bundle-format") {
				t.Errorf("%s: %v\n%s", cosign, err, out)
			}
		} else if err != nil {
			t.Errorf("%s: %v\n%s", cosign, err, out)
		}
	}
}

// runScript runs dist/verify/verify.sh with a client as cosign.
func runScript(t *testing.T, dist, cosign string) (string, error) {
	t.Helper()
	home := t.TempDir()
	cmd := testtool.Command(t, "sh", filepath.Join(dist, "verify", "verify.sh"))
	cmd.Env = []string{"HOME=" + home, "DOCKER_CONFIG=" + home, "PATH=" + filepath.Dir(cosign) + string(os.PathListSeparator) + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func newKeyPair(t *testing.T, dir, name string) (private, public string) {
	t.Helper()
	private, public, err := build.Keys(t.Context(), build.Options{Workdir: dir, Env: []string{"COSIGN_PASSWORD=secret"}, Cache: dir}, name)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, private), filepath.Join(dir, public)
}

func writeRoot(t *testing.T, file string, r *root.TrustedRoot) string {
	t.Helper()
	b, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, string(b))
	return file
}

// newFulcioCA is an authority that has issued nothing.
func newFulcioCA(t *testing.T) root.CertificateAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "foreign"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
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
	return &root.FulcioCertificateAuthority{Root: cert, ValidityPeriodStart: cert.NotBefore, URI: "https://fulcio.example"}
}

func writeFile(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
