package targets_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// private starts a module proxy that wants a password, before the script's own: "private
// PROXY SECRET" sets $PROXY to its URL, and $SECRET to the password, which is in
// $WORK/netrc. $WORK/ca.pem has who vouches for its certificate.
func private(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: private PROXY SECRET")
	}
	open, err := url.Parse(ts.Getenv("OPEN"))
	ts.Check(err)
	const user, secret = "builder", "s3cret-of-netrc"
	next := httputil.NewSingleHostReverseProxy(open)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, ok := r.BasicAuth(); !ok || u != user || p != secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	}))
	ts.Defer(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	// Go before 1.24 looks for the host alone.
	netrc := fmt.Sprintf("machine %s login %s password %s\nmachine 127.0.0.1 login %s password %s\n", host, user, secret, user, secret)
	work := ts.Getenv("WORK")
	ts.Check(os.WriteFile(filepath.Join(work, "netrc"), []byte(netrc), 0o600))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	ts.Check(os.WriteFile(filepath.Join(work, "ca.pem"), ca, 0o644))
	ts.Setenv(args[0], s.URL)
	ts.Setenv(args[1], secret)
}
