package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// killed starts a release in another process and kills it when kill says so, before
// the request reaches the registry. It says whether the release ended by itself.
func killed(t *testing.T, host, path string, kill func(n int, r *http.Request) bool) (ended bool) {
	t.Helper()
	p, through := registrytest.Before(t, host)
	cmd := testtool.Command(t, must(os.Executable()))
	cmd.Env = append(os.Environ(), "REGISTRY_TEST_RELEASE="+through+path)
	var said bytes.Buffer
	cmd.Stderr = &said
	var mu sync.Mutex
	dead := false
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
	mu.Lock() // cmd.Process is set by Start
	err := cmd.Start()
	mu.Unlock()
	ok(t, err)
	err = cmd.Wait()
	if err == nil {
		return true
	}
	if !strings.Contains(err.Error(), "killed") || said.Len() > 0 {
		t.Fatalf("the release ended with %v: %s", err, said.String())
	}
	return false
}

// After a kill no tag is there unless everything is, and the next run completes it.
func afterwards(t *testing.T, repository string, when string) {
	t.Helper()
	c := made("crash")
	if found, err := state(t, repository, c); err != nil {
		t.Fatalf("killed %s: the tags are %q, and %v", when, found, err)
	}
	ok(t, release(context.Background(), repository, quick, c))
	finished(t, repository, c)
}

func TestKilledAtEveryRequest(t *testing.T) {
	testtool.OnRequest(t, "minutes: it starts a process for every request of a release")
	for _, kind := range kinds[:3] {
		t.Run(kind.name, func(t *testing.T) {
			host := kind.start(t)
			for n := 1; ; n++ {
				if !strings.HasPrefix(kind.name, "distribution") {
					host = kind.start(t) // these have one store of blobs for all repositories
				}
				path := fmt.Sprintf("/crash/n%d", n)
				ended := killed(t, host, path, func(at int, _ *http.Request) bool { return at == n })
				afterwards(t, host+path, fmt.Sprintf("before request %d", n))
				if ended {
					if n < 30 {
						t.Errorf("a release has %d requests", n-1)
					}
					t.Logf("killed before each of %d requests", n-1)
					break
				}
			}
			// How many requests come before the tags is not always the same.
			for i, tag := range []string{"latest", "v1"} {
				if !strings.HasPrefix(kind.name, "distribution") {
					host = kind.start(t)
				}
				path := "/crash/before-" + tag
				killed(t, host, path, func(_ int, r *http.Request) bool {
					return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/"+tag)
				})
				if found, _ := state(t, host+path, made("crash")); len(found) != i+1 {
					t.Errorf("killed before the tag %s: the tags are %q", tag, found)
				}
				afterwards(t, host+path, "before the tag "+tag)
			}
		})
	}
}

func TestKilledInMidBlob(t *testing.T) {
	testtool.OnRequest(t, "minutes: it pushes large blobs")
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			host := kind.start(t)
			path := "/crash/blob"
			if killed(t, host, path, func(_ int, r *http.Request) bool {
				if r.Method == http.MethodPatch && r.ContentLength > 100_000 {
					// Half of it reaches the registry, and no more.
					half, err := http.NewRequest(r.Method, "http://"+host+r.URL.RequestURI(), io.LimitReader(r.Body, r.ContentLength/2))
					if err != nil {
						t.Error(err)
						return true
					}
					half.ContentLength = r.ContentLength
					if _, err := http.DefaultClient.Do(half); err == nil {
						t.Error("the registry took half a blob")
					}
					return true
				}
				return false
			}) {
				t.Fatal("the release had no blob of that size")
			}
			afterwards(t, host+path, "in mid-blob")
		})
	}
}
