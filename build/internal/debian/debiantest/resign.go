package debiantest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Resign returns an archive with the real packages of a mirror's suite, under an index that the
// test signed: for architectures whose lists on a mirror do not match its index, as with some
// caching proxies. The updates and the security archive are empty.
func Resign(t testing.TB, mirror, suite string, architectures ...string) *Archive {
	t.Helper()
	a := New(t)
	a.Suite, a.Architectures = suite, architectures
	a.Publish(t)
	files := map[string][]byte{}
	for _, arch := range architectures {
		name := "main/binary-" + arch + "/Packages"
		b, err := get(mirror + "/debian/dists/" + suite + "/" + name + ".gz")
		if err != nil {
			t.Fatal(err)
		}
		files[name+".gz"] = b
		r, err := gzip.NewReader(bytes.NewReader(b))
		if err == nil {
			files[name], err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a.Release(t, "debian", suite, files)
	a.Handle(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/debian/pool/") {
			return false
		}
		http.Redirect(w, r, mirror+r.URL.Path, http.StatusFound)
		return true
	})
	return a
}

func get(url string) ([]byte, error) {
	client := http.Client{Timeout: testtool.Limit()}
	r, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close() // only read from
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", url, r.Status)
	}
	return io.ReadAll(r.Body)
}
