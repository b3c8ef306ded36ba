package registry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// Real registries answer for themselves, and keep nothing of the questions.
func TestCapabilities(t *testing.T) {
	each(t, func(t *testing.T, host string, _ registry.ReferrersSupport) {
		ctx, c := context.Background(), made("able")
		p, host := registrytest.Before(t, host)
		r := open(t, repositoryOf(host), quick)
		if got := must(r.Capabilities(ctx)); got.Indexes != registry.Supported || got.Mounts != registry.NotKnown {
			t.Errorf("an empty repository: %+v", got)
		}
		ok(t, release(ctx, repositoryOf(host), quick, c))
		p.Rest()
		mounts := registry.Supported
		if strings.Contains(t.Name(), "ggcr") { // one store of blobs, and no mounts
			mounts = registry.Unsupported
		}
		if got := must(r.Capabilities(ctx)); got.Indexes != registry.Supported || got.Mounts != mounts {
			t.Errorf("%+v", got)
		}
		if len(p.Requests(http.MethodPatch)) > 0 {
			t.Errorf("something was uploaded: %q", p.Requests())
		}
		finished(t, repositoryOf(host), c)
	})
}

func TestCapabilitiesOfLesserRegistries(t *testing.T) {
	for name, test := range map[string]struct {
		method, path string
		status       int
		body         string
		want         registry.Capabilities
	}{
		"no indexes":          {http.MethodPut, "/manifests/", 415, "", registry.Capabilities{Indexes: registry.Unsupported, Mounts: registry.Unsupported}},
		"no indexes, by code": {http.MethodPut, "/manifests/", 400, `{"errors":[{"code":"UNSUPPORTED"}]}`, registry.Capabilities{Indexes: registry.Unsupported, Mounts: registry.Unsupported}},
		"who knows":           {http.MethodPut, "/manifests/", 400, `{"errors":[{"code":"MANIFEST_INVALID"}]}`, registry.Capabilities{Indexes: registry.NotKnown, Mounts: registry.Unsupported}},
		"takes anything":      {http.MethodPut, "/manifests/", 201, "", registry.Capabilities{Indexes: registry.Supported, Mounts: registry.Unsupported}},
		"no mounts":           {http.MethodPost, "/blobs/uploads/", 202, "", registry.Capabilities{Indexes: registry.Supported, Mounts: registry.Unsupported}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c := context.Background(), made("less")
			p, host := registrytest.Before(t, registrytest.InProcess(t, true))
			ok(t, release(ctx, repositoryOf(host), quick, c))
			deleted := false
			p.Meddle(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				deleted = deleted || r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/manifests/")
				if r.Method != test.method || !strings.Contains(r.URL.Path, test.path) {
					return false
				}
				w.Header().Set("Location", "/v2/acme/api/blobs/uploads/1")
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
				return true
			})
			if got := must(open(t, repositoryOf(host), quick).Capabilities(ctx)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if taken := test.method == http.MethodPut && test.status == 201; deleted != taken {
				t.Errorf("deleted: %t", deleted)
			}
		})
	}
	p, host := registrytest.Before(t, registrytest.InProcess(t, true))
	r := open(t, repositoryOf(host), quick)
	p.Meddle(always(status(http.StatusForbidden, http.MethodPut)))
	_, err := r.Capabilities(context.Background())
	refused(t, err, "push "+repositoryOf(host)+": 403 forbidden")
}
