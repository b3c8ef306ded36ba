package targets_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// TestStoppedAtARegistry sends signals while a registry keeps a target waiting, and wants
// the target to end at once, with one calm line, and to leave nothing behind.
func TestStoppedAtARegistry(t *testing.T) {
	testtool.OnRequest(t, "a minute: it compiles a service for each case")
	const most = 2 * time.Second // between the signal and the end
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	home, cache := t.TempDir(), t.TempDir()
	env := append(environment(), "PATH="+os.Getenv("PATH"), "HOME="+home, "XDG_CACHE_HOME="+cache,
		"THIMBLE_REPOSITORY="+host+"/acme", "THIMBLE_PLATFORMS=linux/amd64", "COSIGN_PASSWORD=x", "THIMBLE_KEY="+filepath.Join(home, "cosign.key"))
	mage := filepath.Join(tools, "mage")
	newRepository := func(t *testing.T, tag string) string {
		t.Helper()
		repo := filepath.Join(t.TempDir(), "hello")
		if err := os.CopyFS(repo, os.DirFS(filepath.Join("..", "..", "testdata", "modules", "hello"))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, ".gitignore"), []byte("/dist/\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"git", "init", "-q", "-b", "main"}, {"git", "add", "-A"}, {"git", "commit", "-q", "-m", tag}, {"git", "tag", tag}} {
			run(t, repo, env, args...)
		}
		return repo
	}
	first := newRepository(t, "v1.2.3")
	run(t, first, env, mage, "keys")
	for _, name := range []string{"cosign.key", "cosign.pub"} {
		if err := os.Rename(filepath.Join(first, name), filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, first, env, mage, "release", "-test=false")
	verify := []string{"verify", host + "/acme/hello:v1.2.3", "-key=" + filepath.Join(home, "cosign.pub")}

	isUpload := func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/blobs/uploads/") && (r.Method == http.MethodPatch || r.Method == http.MethodPut)
	}
	slow := func(w http.ResponseWriter, r *http.Request) { // a byte now and then
		w.Header().Set("Content-Length", "1000")
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
	over := make(chan struct{}) // where a body is not read to its end, nobody sees that the client has gone
	t.Cleanup(func() { close(over) })
	stalled := func(_ http.ResponseWriter, r *http.Request) { // takes a little, and answers nothing
		_, _ = io.CopyN(io.Discard, r.Body, 1000)
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}
	for _, test := range []struct {
		name   string
		args   []string
		at     func(r *http.Request) bool
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		{"verify, at a slow manifest", verify, func(r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodGet
		}, slow},
		{"verify, at a slow list of referrers", verify, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/referrers/") }, slow},
		{"verify, at slow blobs", verify, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }, slow},
		{"push, at an upload", []string{"push", "-test=false"}, isUpload, stalled},
		{"release, at an upload", []string{"release", "-test=false"}, isUpload, stalled},
		{"release, at a manifest", []string{"release", "-test=false"}, func(r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodPut
		}, stalled},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(test.name+", "+sig.String(), func(t *testing.T) {
				repo := newRepository(t, "v1.2.4") // whose binary the registry has not
				source := fmt.Sprintf("package main\n\nfunc init() { println(%q) }\n", t.Name())
				if err := os.WriteFile(filepath.Join(repo, "more.go"), []byte(source), 0o600); err != nil {
					t.Fatal(err)
				}
				run(t, repo, env, "git", "add", "-A")
				run(t, repo, env, "git", "commit", "-q", "-m", "more")
				run(t, repo, env, "git", "tag", "-f", "v1.2.4")
				reached, once := make(chan struct{}), sync.Once{}
				p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
					if !test.at(r) {
						return false
					}
					once.Do(func() { close(reached) })
					test.answer(w, r)
					return true
				})
				defer p.Meddle(nil)
				mark := fmt.Sprintf("THIMBLE_STOP_TEST=%d.%d", os.Getpid(), time.Now().UnixNano())
				temp := t.TempDir()
				cmd := testtool.Command(t, mage, test.args...)
				cmd.Dir, cmd.Env = repo, append(env[:len(env):len(env)], "TMPDIR="+temp, mark)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() {
					for _, pid := range marked(mark) {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}()
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				select {
				case <-reached:
				case err := <-ended:
					t.Fatalf("it ended by itself: %v\n%s", err, out.String())
				}
				time.Sleep(200 * time.Millisecond) // so that it waits for more
				began := time.Now()
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				<-ended
				if took := time.Since(began); took > most {
					t.Errorf("it ended after %s", took)
				}
				if pids := marked(mark); len(pids) > 0 {
					t.Errorf("the processes %d are left", pids)
				}
				want := map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 1}[sig]
				if got := cmd.ProcessState.ExitCode(); got != want {
					t.Errorf("the exit status is %d, want %d", got, want)
				}
				text := out.String()
				if strings.Count(text, "stopped: "+sig.String()) != 1 || !strings.Contains(text, "thimble: ") || strings.Contains(text, "context canceled") || strings.Contains(text, "goroutine ") {
					t.Errorf("it says:\n%s", text)
				}
				left, err := filepath.Glob(filepath.Join(temp, "*"))
				if exists(filepath.Join(repo, "dist")) || err != nil || len(left) > 0 {
					t.Errorf("there is a dist: %t; it left %q, %v", exists(filepath.Join(repo, "dist")), left, err)
				}
			})
		}
	}
}

// run runs a program to its end.
func run(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	cmd := testtool.Command(t, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
