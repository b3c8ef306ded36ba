package progress

import (
	"fmt"
	"time"
)

// grouping folds the lines of progress if a CI server supports that. The zero value folds
// nothing.
type grouping struct {
	start string
	end   func() string
}

// newGrouping detects the servers by their variables: GitHub Actions (workflow commands), GitLab
// (collapsible sections).
func newGrouping(env func(string) string, now func() time.Time) grouping {
	switch {
	case env("GITHUB_ACTIONS") == "true":
		return grouping{"::group::thimble\n", func() string { return "::endgroup::\n" }}
	case env("GITLAB_CI") == "true":
		return grouping{
			fmt.Sprintf("\x1b[0Ksection_start:%d:thimble[collapsed=true]\r\x1b[0Kthimble\n", now().Unix()),
			func() string { return fmt.Sprintf("\x1b[0Ksection_end:%d:thimble\r\x1b[0K\n", now().Unix()) },
		}
	}
	return grouping{}
}
