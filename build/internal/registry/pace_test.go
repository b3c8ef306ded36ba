package registry_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// hasty is a pace at which a test sees in a second what takes minutes.
var hasty = distribution.Pace{Idle: 300 * time.Millisecond, Window: 600 * time.Millisecond, Rate: 10_000}

var someDigest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}

// forget is a sink.
type forget struct{ io.Writer }

func (forget) Reset() {}

// A registry that stops, or drips, or never ends, ends the request and not the user.
func TestHostileBodies(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request, every time.Duration, piece []byte) {
		for {
			if _, err := w.Write(piece); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-time.After(every):
			}
		}
	}
	stall := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"schemaVersion"`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	index := func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			handler(w, r)
		}
	}
	pages := 0
	for name, c := range map[string]struct {
		evil http.HandlerFunc
		call func(context.Context, *registry.Repository) error
		want string
	}{
		"no answer":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, readManifest, "sent and received nothing for 300ms"},
		"a manifest that stops": {stall, readManifest, "sent and received nothing for 300ms"},
		"a manifest that drips": {func(w http.ResponseWriter, r *http.Request) { drip(w, r, 50*time.Millisecond, []byte(" ")) }, readManifest,
			"slower than 10000 bytes a second for 600ms"},
		"a manifest without end": {func(w http.ResponseWriter, r *http.Request) { drip(w, r, 0, make([]byte, 1<<20)) }, readManifest, "larger than 4 MiB"},
		"a blob that stops":      {stall, readBlob, "sent and received nothing for 300ms"},
		"a blob that drips": {func(w http.ResponseWriter, r *http.Request) { drip(w, r, 50*time.Millisecond, []byte(" ")) }, readBlob,
			"slower than 10000 bytes a second for 600ms"},
		"a tag that stops":    {stall, func(ctx context.Context, r *registry.Repository) error { _, err := r.Resolve(ctx, "v1"); return err }, "sent and received nothing for 300ms"},
		"referrers that stop": {index(stall), readReferrers, "sent and received nothing for 300ms"},
		"referrers without end": {index(func(w http.ResponseWriter, r *http.Request) {
			pages++
			w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d>; rel="next"`, r.URL.Path, pages))
			fmt.Fprint(w, `{"manifests":[]}`)
		}), readReferrers, ""},
	} {
		t.Run(name, func(t *testing.T) {
			host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					c.evil(w, r)
				}
			}))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r := must(registry.Open(ctx, host+"/acme/api", distribution.Options{ReadOnly: true, Pace: hasty}))
			defer r.Close()
			err := c.call(ctx, r)
			if ctx.Err() != nil {
				t.Fatalf("it did not end by itself: %v", err)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if pages == 0 || pages > 200 {
		t.Errorf("%d pages were read", pages)
	}
}

func readManifest(ctx context.Context, r *registry.Repository) error {
	_, _, err := r.Manifest(ctx, someDigest)
	return err
}

func readBlob(ctx context.Context, r *registry.Repository) error {
	return r.Blob(ctx, someDigest, forget{io.Discard})
}

func readReferrers(ctx context.Context, r *registry.Repository) error {
	_, err := r.Referrers(ctx, someDigest)
	return err
}

// A body that comes in time is read to its end, however long it takes.
func TestSlowIsNotTooSlow(t *testing.T) {
	host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		for range 20 {
			_, _ = w.Write(make([]byte, 2000))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond)
		}
	}))
	r := must(registry.Open(t.Context(), host+"/acme/api", distribution.Options{ReadOnly: true, Pace: hasty}))
	defer r.Close()
	var got strings.Builder
	ok(t, r.Blob(t.Context(), someDigest, forget{&got}))
	if got.Len() != 40_000 {
		t.Errorf("%d bytes came", got.Len())
	}
}

// Whatever a body does, Ctrl-C ends it at once.
func TestBodyEndsWithContext(t *testing.T) {
	host := registrytest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	for name, call := range map[string]func(context.Context, *registry.Repository) error{"manifest": readManifest, "blob": readBlob, "referrers": readReferrers} {
		ctx, cancel := context.WithCancel(t.Context())
		r := must(registry.Open(ctx, host+"/acme/api", distribution.Options{ReadOnly: true}))
		time.AfterFunc(100*time.Millisecond, cancel)
		began := time.Now()
		if err := call(ctx, r); err == nil || time.Since(began) > time.Second {
			t.Errorf("%s: %v after %s", name, err, time.Since(began))
		}
		r.Close()
	}
}
