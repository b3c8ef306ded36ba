package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/gotest"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/secret"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/report"
)

// test runs the tests that the request asks for. It returns nil if none ran.
func (b *builder) test(ctx context.Context, g *gocmd.Go) (*report.Tests, error) {
	if b.SkipTests || b.Session.Config.Test.Skip {
		return nil, nil
	}
	result, err := Test(ctx, b.Session, b.Draft.WithGo(g))
	if failed := new(gotest.Error); errors.As(err, &failed) && b.AllowFailingTests {
		b.Session.Progress.Notice(
			"the tests failed, but the release continues because failing tests are allowed")
		return result, nil
	}
	return result, err
}

// Test runs the tests of Config.Test. If tests fail, the error is a *gotest.Error, and the result
// is returned too.
func Test(ctx context.Context, s *session.Session, draft *resolve.Draft) (result *report.Tests, err error) {
	err = s.Stage("test", func() (string, error) {
		in := gotest.Input{
			Go: draft.Go, Config: s.Config.Test, Tags: draft.Plan.Build.Tags, Parallel: draft.Go.Parallel,
			Env: secret.Select(s.Secrets, s.Config.Test.Env), Confined: s.Confines(),
			CoverProfile: s.Path(s.Config.Test.CoverProfile), JUnit: s.Path(s.Config.Test.JUnit),
		}
		counted, err := gotest.Run(ctx, in)
		if failed := new(gotest.Error); errors.As(err, &failed) {
			result = &counted
			noticeSecrets(s, in.Env)
		}
		if err != nil {
			return "", err
		}
		result = &counted
		if counted.Tests == 0 {
			return "there are no tests", nil
		}
		return fmt.Sprintf("%s, %s", progress.Count(counted.Tests, "test"),
			progress.Count(counted.Packages, "package")), nil
	})
	return result, err
}

// noticeSecrets names the secrets that failed tests did not see, if any were withheld.
func noticeSecrets(s *session.Session, seen []string) {
	var missed []string
	for _, name := range secret.Names(s.Secrets) {
		if !slices.Contains(secret.Names(seen), name) && !slices.Contains(missed, name) {
			missed = append(missed, name)
		}
	}
	if len(missed) > 0 {
		s.Progress.Notice("tests do not see the secrets of the environment: " + strings.Join(missed, ", ") +
			"; list those that they need in Config.Test.Env")
	}
}
