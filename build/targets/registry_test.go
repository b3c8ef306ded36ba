package targets_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/thimble-build/thimble/build/internal/sigstoretest"
)

// registryCommands are what scripts need of registries and of a Sigstore:
//
//	registry NAME [FAULT]   starts a registry on loopback; $NAME is its host
//	tags REPOSITORY [TAG…]  wants exactly these tags, besides those of signatures
//	digest NAME REFERENCE   makes $NAME what a tag points to
//	image REFERENCE         pushes an image that nobody released
//	envsubst FROM TO        copies a file, with $NAME replaced by variables
//	fulcio NAME             starts a certificate authority, whose URL is $NAME, and
//	                        writes $WORK/token, $WORK/root.json and $WORK/foreign.json
func registryCommands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"registry": startRegistry,
		"tags": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) == 0 {
				ts.Fatalf("usage: tags REPOSITORY [TAG…]")
			}
			repository, err := name.NewRepository(args[0])
			ts.Check(err)
			all, err := remote.List(repository)
			if none := new(transport.Error); !errors.As(err, &none) || none.StatusCode != http.StatusNotFound {
				ts.Check(err)
			}
			all = slices.DeleteFunc(all, func(tag string) bool { return strings.HasPrefix(tag, "sha256-") })
			slices.Sort(all)
			if want := slices.Sorted(slices.Values(args[1:])); !slices.Equal(all, want) {
				ts.Fatalf("%s has the tags %q, want %q", args[0], all, want)
			}
		},
		"digest": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 2 {
				ts.Fatalf("usage: digest NAME REFERENCE")
			}
			ref, err := name.ParseReference(args[1])
			ts.Check(err)
			found, err := remote.Head(ref)
			ts.Check(err)
			ts.Setenv(args[0], found.Digest.String())
		},
		"image": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 1 {
				ts.Fatalf("usage: image REFERENCE")
			}
			ref, err := name.ParseReference(args[0])
			ts.Check(err)
			img, err := random.Image(100, 1)
			ts.Check(err)
			ts.Check(remote.Write(ref, img))
		},
		"envsubst": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 2 {
				ts.Fatalf("usage: envsubst FROM TO")
			}
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
		},
		"fulcio": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) != 1 {
				ts.Fatalf("usage: fulcio NAME")
			}
			issuer := sigstoretest.NewIssuer(t)
			url, ca := sigstoretest.NewFulcio(t, "release@example.com", issuer.URL, 5*time.Minute)
			_, foreign := sigstoretest.NewFulcio(t, "release@example.com", issuer.URL, 5*time.Minute)
			for file, authority := range map[string]root.CertificateAuthority{"root.json": ca, "foreign.json": foreign} {
				trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, nil, nil, nil)
				ts.Check(err)
				b, err := trusted.MarshalJSON()
				ts.Check(err)
				ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), file), b, 0o600))
			}
			ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), "token"), []byte(issuer.Token("release@example.com")), 0o600))
			ts.Setenv(args[0], url)
		},
	}
}

// faults are how a registry refuses: each says whether it has answered.
var faults = map[string]func(http.ResponseWriter, *http.Request) bool{
	"unauthorized": refuseUploads(http.StatusUnauthorized),
	"forbidden":    refuseUploads(http.StatusForbidden),
	"no-indexes": func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.Header.Get("Content-Type"), "index") {
			return false
		}
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return true
	},
	"an-hour-ahead": func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		return false
	},
}

func refuseUploads(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.WriteHeader(status)
		return true
	}
}

func startRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: registry NAME [FAULT]")
	}
	fault := func(http.ResponseWriter, *http.Request) bool { return false }
	if len(args) == 2 {
		if fault = faults[args[1]]; fault == nil {
			ts.Fatalf("unknown fault %q", args[1])
		}
	}
	quiet := log.New(io.Discard, "", 0)
	next := registry.New(registry.WithReferrersSupport(true), registry.Logger(quiet))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fault(w, r) {
			next.ServeHTTP(w, r)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], strings.TrimPrefix(server.URL, "http://"))
}
