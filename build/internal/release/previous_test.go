package release_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/release"
	"github.com/thimble-build/thimble/build/plan"
)

// The tag of an earlier version may point to anything: what would take much memory is not decoded.
func TestPreviousIsAnything(t *testing.T) {
	var said notices
	s := open(t).WithProgress(&said)
	body := `{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[` + strings.TrimSuffix(strings.Repeat("{},", 600), ",") + `]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_, _ = w.Write([]byte(body))
		}
	}))
	defer server.Close()
	p := &plan.Plan{Images: []plan.Image{{Name: "api", Repository: strings.TrimPrefix(server.URL, "http://") + "/acme/api"}}}
	found := release.FindPrevious(t.Context(), s, p, "v1.2.3")
	if len(found) > 0 || len(said) != 1 || !strings.Contains(said[0], "more than 500 manifests") {
		t.Errorf("%d images were found, and the notices are %q", len(found), said)
	}
}
