package compare

import (
	"fmt"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/report"
)

func TestLocks(t *testing.T) {
	deb := func(version, architecture string) string {
		return fmt.Sprintf(`{"name":"tzdata","architecture":%q,"version":%q}`, architecture, version)
	}
	debian := func(packages string) string {
		return `{"lock":{"debian":[{"suite":"trixie","packages":[` + packages + `]}]}}`
	}
	for _, test := range []struct {
		name, a, b string
		want       []Cause
	}{
		{"a package's version", debian(deb("1", "all")), debian(deb("2", "all")), []Cause{{Kind: report.CauseBase, Detail: "Debian's package trixie/tzdata is 1 / 2"}}},
		{"of one architecture", debian(deb("1", "amd64")), debian(deb("2", "amd64")), []Cause{{Kind: report.CauseBase, Detail: "Debian's package trixie/tzdata:amd64 is 1 / 2"}}},
		{"a package more", debian(""), debian(deb("2", "all")), []Cause{{Kind: report.CauseBase, Detail: "Debian's package trixie/tzdata is - / 2"}}},
		{
			"an image", `{"lock":{"images":[{"reference":"a/b:1","digest":"sha256:1","mediaType":"x"}]}}`, `{"lock":{"images":[{"reference":"a/b:1","digest":"sha256:2","mediaType":"y"}]}}`,
			[]Cause{{Kind: report.CauseBase, Detail: "the base a/b:1 is pinned as sha256:1 / sha256:2"}},
		},
		{"something else of it", `{"lock":{"version":1}}`, `{"lock":{"version":2}}`, []Cause{{Kind: report.CauseBase, Detail: "lock/version of the bases is 1 / 2"}}},
		{
			"the base itself", `{"images":[{"name":"x","base":"scratch"}]}`, `{"images":[{"name":"x","base":"a/b:1"}],"lock":{"images":[{"reference":"a/b:1","digest":"sha256:2"}]}}`,
			[]Cause{{Kind: report.CauseBase, Detail: "the base is scratch / a/b:1"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &comparison{report: &Report{}}
			c.a.Plan, c.b.Plan = []byte(test.a), []byte(test.b)
			if err := c.plans(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.found, test.want) {
				t.Errorf("got %+v, want %+v", c.found, test.want)
			}
		})
	}
}
