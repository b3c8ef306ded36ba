package registry_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
)

// Registries say in words of their own that a tag does not move.
func TestImmutableTags(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
	}{
		"Amazon ECR":        {400, `{"errors":[{"code":"TAG_INVALID","message":"The image tag 'v1' already exists in the 'api' repository and cannot be overwritten because the repository is immutable."}]}`},
		"a code only":       {400, `{"errors":[{"code":"TAG_INVALID","message":"refused"}]}`},
		"Harbor":            {412, `{"errors":[{"code":"PRECONDITION","message":"Failed to process request due to 'api:v1' configured as immutable."}]}`},
		"Artifact Registry": {400, `{"errors":[{"code":"FAILED_PRECONDITION","message":"cannot update tag v1: the repository has immutable tags"}]}`},
		"Azure":             {405, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is disallowed on this registry, repository or image."}]}`},
		"GitHub":            {403, `{"errors":[{"code":"DENIED","message":"tag already exists and is immutable"}]}`},
		"Quay":              {409, `{"errors":[{"code":"TAG_IMMUTABLE","message":"tag v1 is immutable","detail":{}}]}`},
		"Nexus":             {400, `{"errors":[{"code":"UNKNOWN","message":"Repository does not allow updating assets: api"}]}`},
		"text":              {403, `Cannot overwrite an immutable tag`},
	} {
		t.Run(name, func(t *testing.T) {
			p, host := registrytest.Before(t, registrytest.InProcess(t, false))
			c := made("immutable")
			r := open(t, host+"/immutable/locked", quick)
			ok(t, r.Push(t.Context(), c.index))
			refuse := ""
			p.Meddle(always(func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method != http.MethodPut || !strings.HasSuffix(q.URL.Path, refuse) {
					return false
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
				return true
			}))
			refuse = "/latest"
			err := r.Tag(t.Context(), c.digest(), tags)
			refused(t, err, ":latest: ", "its tags are immutable; release another version", "Config.Release.MovingTags", "moved already: v1.0.0")
			refuse = ".sig"
			refused(t, r.Attach(t.Context(), []registry.Artifact{c.signature}), "its tags are immutable", `Config.Release.Forms to ["bundle"]`)
			refuse = "/sha256-" + c.digest().Hex
			refused(t, r.Attach(t.Context(), c.referrers), "its tags are immutable", `"sha256-"`, `Config.Release.Forms to ["tag"]`)
		})
	}
	// The name of a repository is no word of the registry's.
	p, host := registrytest.Before(t, registrytest.InProcess(t, false))
	c := made("immutable")
	r := open(t, host+"/immutable/api", quick)
	ok(t, r.Push(t.Context(), c.index))
	p.Meddle(always(at(http.MethodPut, "/manifests/v1.0.0", http.StatusForbidden)))
	if err := r.Tag(t.Context(), c.digest(), tags); err == nil || strings.Contains(err.Error(), "its tags are") {
		t.Errorf("the error is %v", err)
	}
}

// A registry that does not know artifacts is told the form that it takes.
func TestFormThatIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
	}{
		"code":       {400, `{"errors":[{"code":"MANIFEST_INVALID"}]}`},
		"media type": {415, ""},
		"words":      {400, "unsupported config media type"},
	} {
		t.Run(name, func(t *testing.T) {
			p, host := registrytest.Before(t, registrytest.InProcess(t, false))
			c := made("forms")
			r := open(t, repositoryOf(host), quick)
			ok(t, r.Push(t.Context(), c.index))
			p.Meddle(always(func(w http.ResponseWriter, q *http.Request) bool {
				if q.Method != http.MethodPut || !strings.Contains(q.URL.Path, "/manifests/") {
					return false
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
				return true
			}))
			refused(t, r.Attach(t.Context(), c.referrers), `set Config.Release.Forms to ["tag"]`)
			refused(t, r.Attach(t.Context(), []registry.Artifact{c.signature}), `set Config.Release.Forms to ["bundle"]`)
		})
	}
}
