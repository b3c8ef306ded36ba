package build_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// releaseVariable tells this test's own program to release, with the options that the
// variable holds as JSON, and to do nothing else.
const releaseVariable = "BUILD_TEST_RELEASE"

func init() {
	text := os.Getenv(releaseVariable)
	if text == "" {
		return
	}
	var p processOptions
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		_, err = build.Release(context.Background(), settings{SkipTests: p.SkipTests, Options: build.Options{Config: p.Config, Workdir: p.Workdir, Cache: p.Cache, Platforms: p.Platforms}}.release())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// processOptions are the options that are data; the environment is the process's.
type processOptions struct {
	Config         build.Config
	Workdir, Cache string
	Platforms      []string
	SkipTests      bool
}

// releaseProcess is a release in a process of its own.
func releaseProcess(t testing.TB, o settings) *exec.Cmd {
	t.Helper()
	cmd := testtool.Command(t, must(os.Executable()))
	p := processOptions{Config: o.Config, Workdir: o.Workdir, Cache: o.Cache, Platforms: o.Platforms, SkipTests: o.SkipTests}
	cmd.Env = append(slices.Clone(o.Env), releaseVariable+"="+string(must(json.Marshal(p))))
	return cmd
}

// killed starts a release in another process and kills it when kill says so, before
// that request reaches the registry. It says whether the release ended by itself.
func killed(t testing.TB, o settings, p *registrytest.Proxy, kill func(n int, r *http.Request) bool) (ended bool) {
	t.Helper()
	cmd := releaseProcess(t, o)
	var said bytes.Buffer
	cmd.Stderr = &said
	var mu sync.Mutex
	dead := false
	mu.Lock() // cmd.Process is set by Start
	p.Forget()
	p.Meddle(func(n int, _ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if !dead && kill(n, r) {
			dead = true
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		return dead // what was under way elsewhere does not count
	})
	err := cmd.Start()
	mu.Unlock()
	ok(t, err)
	err = cmd.Wait()
	p.Meddle(nil)
	if err == nil {
		return true
	}
	if !strings.Contains(err.Error(), "killed") || said.Len() > 0 {
		t.Fatalf("the release ended with %v: %s", err, said.String())
	}
	return false
}

// A release is killed before each of its requests in turn, in a registry without the
// referrers API, where more has to be written. Package registry does the same with
// other registries.
func TestKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "minutes: it releases once for every request")
	var store http.Handler
	host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { store.ServeHTTP(w, r) }))
	o, p := killable(t, host)
	for n := 1; ; n++ {
		store = registrytest.Handler(false)
		ok(t, os.RemoveAll(filepath.Join(o.Workdir, "dist")))
		ended := killed(t, o, p, func(at int, _ *http.Request) bool { return at == n })
		afterwards(t, o, p, host, fmt.Sprintf("killed before request %d", n))
		if ended {
			if n < 100 {
				t.Errorf("a release has %d requests", n-1)
			}
			t.Logf("killed before each of %d requests", n-1)
			return
		}
	}
}

// A release is killed when half of its largest blob is sent.
func TestKilledInMidBlob(t *testing.T) {
	t.Parallel()
	testtool.OnRequest(t, "minutes: it releases once for every request")
	for _, kind := range registries {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			host := kind.start(t)
			o, p := killable(t, host)
			if killed(t, o, p, func(_ int, r *http.Request) bool {
				if r.Method != http.MethodPatch || r.ContentLength < 100_000 {
					return false
				}
				half, err := http.NewRequest(r.Method, (&url.URL{Scheme: "http", Host: host, Path: r.URL.Path, RawQuery: r.URL.RawQuery}).String(), io.LimitReader(r.Body, r.ContentLength/2))
				if err != nil {
					t.Error(err)
					return true
				}
				half.ContentLength = r.ContentLength
				if resp, err := http.DefaultClient.Do(half); err == nil {
					t.Errorf("the registry took half a blob: %s", resp.Status)
				}
				return true
			}) {
				t.Fatal("the release had no blob of that size")
			}
			afterwards(t, o, p, host, "killed in mid-blob")
		})
	}
}

// A release is killed at a hundred moments (registrytest.Sample), wherever it is.
func TestKilledAtRandom(t *testing.T) {
	testtool.OnRequest(t, "it releases many times")
	store := registrytest.Handler(false)
	host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { store.ServeHTTP(w, r) }))
	f, p := faultedRelease(t, host)
	fresh := func() {
		store = registrytest.Handler(false)
		ok(t, os.RemoveAll(filepath.Join(f.options.Workdir, "dist")))
		p.Rest()
	}
	fresh()
	begin := time.Now()
	ok(t, releaseProcess(t, f.options).Run())
	whole := time.Since(begin)
	ended, tagged := 0, 0
	for _, n := range registrytest.Sample(100, 5, 1) {
		fresh()
		cmd := releaseProcess(t, f.options)
		ok(t, cmd.Start())
		kill := time.AfterFunc(whole*time.Duration(n)/100, func() { _ = cmd.Process.Kill() })
		if cmd.Wait() == nil {
			ended++
		}
		kill.Stop()
		c, err := registrytest.Inspect(host, f.repository)
		if err != nil {
			t.Errorf("killed after %d %%: %v", n, err)
		}
		for _, tag := range f.tags {
			if at, there := c.Tags[tag]; there {
				tagged++
				if err := f.has(c, at); err != nil {
					t.Errorf("killed after %d %%: %s is there, and %v", n, tag, err)
				}
			}
		}
		if _, err := build.Release(t.Context(), f.options.release()); err != nil {
			t.Errorf("killed after %d %%: the next run: %v", n, err)
		} else if err := f.look(t, nil); err != nil {
			t.Errorf("killed after %d %%, after the next run: %v", n, err)
		}
	}
	t.Logf("a release takes %v; %d ended before, and %d tags were there", whole, ended, tagged)
}
