package targets_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"golang.org/x/sys/unix"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestPasswordPrompt types at a terminal: the password is asked for, twice for a new
// key, and never shown.
func TestPasswordPrompt(t *testing.T) {
	dir := t.TempDir()
	typed := func(says string, target []string, answers ...string) {
		t.Helper()
		terminal := openTerminal(t)
		var said testtool.Buffer
		cmd := testtool.Command(t, filepath.Join(tools, "mage"), target...)
		cmd.Dir, cmd.Env = dir, append(environment(), "PATH="+os.Getenv("PATH"), "XDG_CACHE_HOME="+t.TempDir(), "THIMBLE_KEY=cosign.key")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.slave, &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for i, answer := range answers {
			for deadline := time.Now().Add(30 * time.Second); strings.Count(said.String(), ": ") <= i || terminal.echoes(t); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("nobody asks without an echo:\n%s", said.String())
				}
			}
			if _, err := fmt.Fprintln(terminal.master, answer); err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Wait() // what it says is compared
		if !strings.Contains(said.String(), says) {
			t.Errorf("%s does not say %q:\n%s", target[0], says, said.String())
		}
		if !terminal.echoes(t) {
			t.Errorf("%s leaves the terminal without an echo", target[0])
		}
		if err := terminal.slave.Close(); err != nil {
			t.Fatal(err)
		}
		shown, _ := io.ReadAll(terminal.master) // ends with an error, since nobody else has it open
		for _, answer := range answers {
			if bytes.Contains(shown, []byte(answer)) || strings.Contains(said.String(), answer) {
				t.Errorf("%s shows the password: %q %q", target[0], shown, said.String())
			}
		}
	}
	typed("the two passwords differ; no key was made", []string{"keys"}, "first-try", "another")
	if _, err := os.Stat(filepath.Join(dir, "cosign.key")); err == nil {
		t.Error("a key was made")
	}
	typed("private   cosign.key", []string{"keys"}, "the-password", "the-password")
	// doctor opens the key, in a folder that has nothing else.
	typed("the password is wrong", []string{"doctor"}, "wrong-one")
	typed("cosign.key opens", []string{"doctor"}, "the-password")
}

// TestLogin logs in from a terminal: the address and the code are shown, and the token
// that comes of it is taken to Fulcio.
func TestLogin(t *testing.T) {
	issuer := sigstoretest.NewIssuer(t)
	var tokens []string
	fulcio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.Header.Get("Authorization"))
		http.Error(w, "no", http.StatusForbidden)
	}))
	t.Cleanup(fulcio.Close)
	repo := filepath.Join(t.TempDir(), "hello")
	if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "..", "testdata", "modules", "hello"))); err != nil {
		t.Fatal(err)
	}
	trusted, err := json.Marshal(must(root.NewTrustedRoot(root.TrustedRootMediaType01, nil, nil, nil, nil)))
	if err == nil {
		err = os.WriteFile(filepath.Join(repo, "root.json"), trusted, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(repo, "thimble.json"), must(json.Marshal(build.Config{Release: build.ReleaseConfig{
			Keyless:     &build.Keyless{Fulcio: fulcio.URL, Issuer: issuer.URL, ClientID: "sigstore", NoCertificateLog: true, NoTransparencyLog: true},
			TrustedRoot: "root.json", TimestampAuthorities: []string{"http://127.0.0.1:9/api/v1/timestamp"},
		}})), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal := openTerminal(t)
	var said testtool.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&said, terminal.master) // ends with an error, when nobody else has it open
	}()
	cmd := testtool.Command(t, filepath.Join(tools, "mage"), "release", "-allowUntagged", "-allowDirty")
	cmd.Dir, cmd.Env = repo, append(environment(), "PATH="+os.Getenv("PATH"), "XDG_CACHE_HOME="+t.TempDir(), "TERM=xterm")
	cmd.Stderr = terminal.slave
	err = cmd.Run()
	if closeErr := terminal.slave.Close(); closeErr != nil {
		t.Fatal(closeErr)
	}
	<-read
	for _, want := range []string{"Enter the verification code " + sigstoretest.UserCode + " in your browser at: " + issuer.URL + "/type-it-in", "it answered 403 Forbidden to a token of issuer \"" + issuer.URL} {
		if err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%v, want %q:\n%s", err, want, said.String())
		}
	}
	if len(tokens) != 1 || strings.Count(tokens[0], ".") != 2 {
		t.Fatalf("Fulcio was asked %q", tokens)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens[0], ".")[1])
	if err != nil || !strings.Contains(string(claims), `"email":"`+sigstoretest.Device+`"`) {
		t.Errorf("Fulcio was given a token of %s: %v", claims, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// terminal is a pseudo terminal.
type terminal struct{ master, slave *os.File }

func openTerminal(t *testing.T) terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return terminal{master, slave}
}

func (term terminal) echoes(t *testing.T) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}
