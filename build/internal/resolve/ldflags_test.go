package resolve

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

func TestExpand(t *testing.T) {
	p := &plan.Plan{Version: "v1.2.3", Revision: "0123456789abcdef0123456789abcdef01234567", SourceDateEpoch: 86400}
	committed := time.Unix(3600, 0)
	flags := []string{
		"-s", "-X main.version={{.Version}}", "-X main.tag={{ .Tag }}", "-X 'main.built={{.Date}} {{.Timestamp}}'",
		"-X main.commit={{.Commit}} -X main.short={{.ShortCommit}}", "-X main.committed={{.CommitDate}} -X main.dirty={{.IsGitDirty}}",
	}
	want := []string{
		"-s", "-X main.version=1.2.3", "-X main.tag=v1.2.3", "-X 'main.built=1970-01-02T00:00:00Z 86400'",
		"-X main.commit=" + p.Revision + " -X main.short=0123456", "-X main.committed=1970-01-01T01:00:00Z -X main.dirty=false",
	}
	if got, err := expand(flags, p, committed); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, flag := range []string{"-X main.user={{.Env.USER}}", "-X main.v={{.Version", "-X main.v={{now}}"} {
		if _, err := expand([]string{flag}, p, committed); err == nil || !strings.Contains(err.Error(), "it can use .Version") {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if got, err := expand([]string{"-X main.c={{.ShortCommit}}{{.CommitDate}}"}, &plan.Plan{}, time.Time{}); err != nil || got[0] != "-X main.c=" {
		t.Errorf("without git: %q, %v", got, err)
	}
}
