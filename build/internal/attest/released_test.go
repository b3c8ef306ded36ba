package attest_test

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// The name by which an image is asked for must not contradict what was released.
func TestReference(t *testing.T) {
	of := func(version string, tags ...string) attest.Released {
		return attest.Released{Image: "api", Images: []string{"api", "worker"}, Version: version, Tags: tags}
	}
	one, two := of("v1.2.3", "v1.2.3", "latest"), of("v1.3.0", "v1.3.0", "latest")
	bare, dirty := of("6.14.1", "6.14.1"), of("v1.0.0+dirty", "v1.0.0-dirty")
	for _, test := range []struct {
		repository, tag string
		releases        []attest.Released
		signedFor       string
		want            string // of the error; none if empty
	}{
		{"acme/api", "v1.2.3", []attest.Released{one}, "", ""},
		{"acme/api", "1.2.3", []attest.Released{one}, "", ""},
		{"acme/api", "v1.2.4", []attest.Released{one}, "", "the tag v1.2.4 is a version, but this digest was released as api v1.2.3"},
		{"acme/api", "1.2.4", []attest.Released{one}, "", "released as api v1.2.3"},
		{"acme/api", "v1.2.3-rc.1", []attest.Released{one}, "", "released as api v1.2.3"},
		{"acme/api", "v1.2.3", nil, "", "no release of this digest by an expected signer has that version"},
		{"acme/api", "v1.3.0", []attest.Released{two, one}, "", ""},
		{"acme/api", "v1.4.0", []attest.Released{two, one}, "", "released as api v1.2.3, api v1.3.0"},
		{"acme/api", "6.14.1", []attest.Released{bare}, "", ""},
		{"acme/api", "v6.14.1", []attest.Released{bare}, "", ""},
		{"acme/api", "v1.0.0-dirty", []attest.Released{dirty}, "", ""},
		{"acme/api", "v1.0.0", []attest.Released{dirty}, "", "released as api v1.0.0+dirty"},
		// These promise no release.
		{"acme/api", "latest", []attest.Released{one}, "", ""},
		{"acme/api", "latest", nil, "", ""},
		{"acme/api", "", nil, "", ""},
		{"acme/api", "", []attest.Released{one}, "", ""},
		{"acme/api", "v1", []attest.Released{one}, "", ""},
		{"acme/api", "v1.2", []attest.Released{one}, "", ""},
		{"acme/api", "2026.01.15", []attest.Released{one}, "", ""},
		{"acme/api", "V1.2.4", []attest.Released{one}, "", ""},
		{"acme/api", "edge-1.2.4", []attest.Released{one}, "", ""},
		{"acme/api", "1.2.4.5", []attest.Released{one}, "", ""},
		{"acme/api", "stable-v1.2.4", []attest.Released{one}, "", ""},
		// Repositories.
		{"acme/worker", "v1.2.3", []attest.Released{one}, "", "the repository has the name of the image worker, but this digest was released as api v1.2.3"},
		{"acme/worker", "latest", []attest.Released{one}, "", "the name of the image worker"},
		{"acme/worker", "", []attest.Released{one}, "", "the name of the image worker"},
		{"worker", "", []attest.Released{one}, "", "the name of the image worker"},
		{"acme/worker/mirror", "v1.2.3", []attest.Released{one}, "", ""},
		{"acme/backend", "v1.2.3", []attest.Released{one}, "", ""},
		{"acme/worker", "v1.2.3", []attest.Released{one}, "ghcr.io/acme/worker", ""}, // Config says so
		{"elsewhere/worker", "v1.2.3", []attest.Released{one}, "ghcr.io/acme/worker", ""},
		{"acme/worker", "v1.2.3", nil, "", "no release"},
	} {
		var signedFor []string
		if test.signedFor != "" {
			signedFor = []string{test.signedFor}
		}
		err := attest.Reference{Repository: test.repository, Tag: test.tag}.Check(test.releases, signedFor)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:%s of %v: %v, want %q", test.repository, test.tag, test.releases, err, test.want)
		}
	}
}

// releasedAs adds what a release says of the index, and signs it.
func (r *release) releasedAs(t *testing.T, signer *attest.Signer, version string, tags ...string) (made int) {
	t.Helper()
	st := must(attest.Released{Image: "api", Images: []string{"worker", "api"}, Version: version, Tags: tags}.Statement())
	before := r.subjects[0].Statements
	r.subjects[0].Statements = append(before[:len(before):len(before)], st)
	for _, s := range r.sign(t, signer, attest.Options{}) {
		made += s.Made
	}
	r.subjects[0].Statements = before
	return made
}

// Statements accumulate where a digest is released again, and a run that says nothing new
// adds none. Those of strangers do not count.
func TestReleases(t *testing.T) {
	signer, public := quickKey(t)
	stranger, _ := quickKey(t)
	r := newRelease(t, "registry.example/acme/api")
	r.sign(t, signer, attest.Options{})
	for _, step := range []struct {
		version string
		tags    []string
		made    int
	}{
		{"v1.0.0", []string{"v1.0.0", "latest"}, 1},
		{"v1.0.0", []string{"latest", "v1.0.0"}, 0},
		{"v1.0.0", []string{"v1.0.0"}, 0}, // it said more
		{"v1.1.0", []string{"v1.1.0", "latest"}, 1},
		{"v1.0.0", []string{"v1.0.0", "latest"}, 0},
		{"v1.0.0", []string{"v1.0.0", "stable"}, 1},
	} {
		if made := r.releasedAs(t, signer, step.version, step.tags...); made != step.made {
			t.Errorf("%+v: %d signatures were made", step, made)
		}
	}
	r.releasedAs(t, stranger, "v9.0.0", "v9.0.0")
	for tag, want := range map[string]string{
		"v1.0.0": "", "1.1.0": "", "latest": "", "nightly": "",
		"v1.2.0": "released as api v1.0.0, api v1.1.0", "v9.0.0": "released as api v1.0.0, api v1.1.0",
	} {
		p := policy(public)
		p.Reference = attest.Reference{Repository: "acme/api", Tag: tag}
		report, err := attest.Verify(t.Context(), r.material(), p)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tag, err, want)
		}
		shown := false
		for _, c := range report.Checks {
			shown = shown || c.Check == "release" && strings.Contains(c.Detail, "api v1.0.0, api v1.1.0")
		}
		if !shown {
			t.Errorf("%s: the report does not say which release it is: %+v", tag, report.Checks)
		}
	}
}
