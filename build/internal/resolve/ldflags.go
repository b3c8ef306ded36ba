package resolve

import (
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// stampable are the values that a linker flag can contain, with GoReleaser's names. All of them
// depend only on the commit: the date is the plan's epoch, not that of the build.
type stampable struct {
	Version, Tag, Commit, FullCommit, ShortCommit, Date, CommitDate string
	Timestamp, CommitTimestamp                                      int64
	IsGitDirty                                                      bool
}

const stampableNames = ".Version (without its v), .Tag, .Commit, .ShortCommit, .Date, .Timestamp, " +
	".CommitDate, .CommitTimestamp and .IsGitDirty"

// expand replaces the templates in linker flags, such as "-X=main.version={{.Version}}".
func expand(flags []string, p *plan.Plan, committed time.Time) ([]string, error) {
	date := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	values := stampable{
		Version: strings.TrimPrefix(p.Version, "v"), Tag: p.Version,
		Commit: p.Revision, FullCommit: p.Revision, ShortCommit: p.Revision[:min(7, len(p.Revision))],
		Date: date(p.Created()), Timestamp: p.SourceDateEpoch, IsGitDirty: p.Dirty,
	}
	if !committed.IsZero() {
		values.CommitDate, values.CommitTimestamp = date(committed), committed.Unix()
	}
	expanded := make([]string, len(flags))
	for i, flag := range flags {
		if expanded[i] = flag; !strings.Contains(flag, "{{") {
			continue
		}
		var text strings.Builder
		t, err := template.New("flag").Parse(flag)
		if err == nil {
			err = t.Execute(&text, values)
		}
		if err != nil {
			return nil, fmt.Errorf("expand %q of LDFlags: %w; it can use %s", flag, err, stampableNames)
		}
		expanded[i] = text.String()
	}
	return expanded, nil
}
