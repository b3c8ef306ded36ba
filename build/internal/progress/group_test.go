package progress_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/thimble-build/thimble/build/internal/progress"
)

// The lines are folded where a CI server can; what comes after Close, such as an error
// or the summary, is not.
func TestGroups(t *testing.T) {
	for name, test := range map[string]struct{ variable, want string }{
		"GitHub": {"GITHUB_ACTIONS", `^::group::thimble\nok +compile .*\nfailed +test .*\n::endgroup::\n$`},
		"GitLab": {"GITLAB_CI", `^\x1b\[0Ksection_start:\d+:thimble\[collapsed=true\]\r\x1b\[0Kthimble\nok +compile .*\nfailed +test .*\n\x1b\[0Ksection_end:\d+:thimble\r\x1b\[0K\n$`},
		"others": {"CI", `^ok +compile .*\nfailed +test .*\n$`},
	} {
		file := filepath.Join(t.TempDir(), "out")
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		p := progress.New(f, func(v string) string {
			if v == test.variable {
				return "true"
			}
			return ""
		})
		p.Start("compile")("", nil)
		p.Start("test")("", errors.New("no"))
		p.Close()
		p.Close()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := os.ReadFile(file)
		if err != nil || !regexp.MustCompile(test.want).Match(out) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}
