package git

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// testRepo is a repository with two commits.
func testRepo(t *testing.T) (dir string, run func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	run = func(args ...string) string {
		t.Helper()
		cmd := testtool.Command(t, "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	for _, subject := range []string{"first", "second"} {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(subject), 0o644); err != nil {
			t.Fatal(err)
		}
		run("add", "-A")
		run("commit", "-q", "-m", subject)
	}
	return dir, run
}

// TestEnv sets everything with which git can be made to read something else than the
// repository in its folder.
func TestEnv(t *testing.T) {
	env := Env([]string{
		"PATH=/bin", "GIT_DIR=/x", "GIT_WORK_TREE=/x", "GIT_INDEX_FILE=/x", "GIT_OBJECT_DIRECTORY=/x", "GIT_CEILING_DIRECTORIES=/",
		"GIT_REPLACE_REF_BASE=refs/x", "GIT_CONFIG_PARAMETERS='core.bare=true'", "GIT_TRACE=1", "GIT_GRAFT_FILE=/x", "GIT_EXEC_PATH=/x",
		"GIT_SSH_COMMAND=ssh -i key", "GIT_ASKPASS=ask", "GIT_SSL_CAINFO=ca.pem", "GIT_CONFIG_GLOBAL=/home/a/gitconfig",
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=core.worktree", "GIT_CONFIG_VALUE_0=/x",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*",
		"GIT_CONFIG_KEY_2=url.https://token@example.com/.insteadOf", "GIT_CONFIG_VALUE_2=https://example.com/",
	})
	for _, want := range []string{
		"PATH=/bin", "GIT_SSH_COMMAND=ssh -i key", "GIT_ASKPASS=ask", "GIT_SSL_CAINFO=ca.pem", "GIT_CONFIG_GLOBAL=/home/a/gitconfig",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "GIT_CONFIG_KEY_1=url.https://token@example.com/.insteadOf",
		"GIT_CONFIG_KEY_2=core.fsmonitor", "GIT_CONFIG_VALUE_2=false", "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, e := range env {
		if strings.HasSuffix(e, "/x") || strings.Contains(e, "core.worktree") || strings.HasPrefix(e, "GIT_TRACE") || strings.HasPrefix(e, "GIT_CONFIG_PARAMETERS") {
			t.Errorf("%s is left", e)
		}
	}
	if again := Env(env); !slices.Equal(again, env) {
		t.Errorf("twice it is %q", again)
	}
}

// TestStateIsOfTheRepository redirects git in every way that a hook, a shell or a
// configuration can, and wants the same answer.
func TestStateIsOfTheRepository(t *testing.T) {
	testtool.NotShort(t)
	other, _ := testRepo(t)
	for _, test := range []struct {
		name    string
		prepare func(dir string, git func(...string) string)
		env     []string
	}{
		{name: "GIT_DIR", env: []string{"GIT_DIR=" + filepath.Join(other, ".git"), "GIT_WORK_TREE=" + other}},
		{name: "GIT_WORK_TREE", env: []string{"GIT_WORK_TREE=" + other}},
		{name: "GIT_INDEX_FILE", env: []string{"GIT_INDEX_FILE=" + filepath.Join(other, "none")}},
		{name: "GIT_OBJECT_DIRECTORY", env: []string{"GIT_OBJECT_DIRECTORY=" + other}},
		{name: "GIT_CEILING_DIRECTORIES", env: []string{"GIT_CEILING_DIRECTORIES=/"}},
		{name: "GIT_CONFIG_COUNT", env: []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.worktree", "GIT_CONFIG_VALUE_0=" + other}},
		{name: "log settings", prepare: func(_ string, git func(...string) string) {
			git("config", "log.showSignature", "true")
			git("config", "log.abbrevCommit", "true")
			git("config", "log.follow", "true")
			git("config", "log.excludeDecoration", "refs/tags/*")
			git("config", "i18n.logOutputEncoding", "UTF-16")
			git("config", "color.ui", "always")
		}},
		{name: "fsmonitor", prepare: func(_ string, git func(...string) string) { git("config", "core.fsmonitor", "/bin/false") }},
		{name: "a replaced commit", prepare: func(_ string, git func(...string) string) { git("replace", "HEAD", "HEAD~1") }},
		{name: "a graft", prepare: func(dir string, git func(...string) string) {
			if err := os.MkdirAll(filepath.Join(dir, ".git", "info"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, ".git", "info", "grafts"), []byte(git("rev-parse", "HEAD")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, git := testRepo(t)
			git("tag", "v1.0.0", "HEAD~1")
			git("tag", "-a", "-m", "inner", "inner")
			git("tag", "-a", "-m", "middle", "middle", "inner")
			git("tag", "-a", "-m", "outer", "v1.1.0", "middle")
			head := git("rev-parse", "HEAD")
			if test.prepare != nil {
				test.prepare(dir, git)
			}
			repo, err := Open(dir, append(os.Environ(), test.env...))
			if err != nil {
				t.Fatal(err)
			}
			state, err := repo.State(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if state.Revision != head || len(state.Changed) > 0 {
				t.Errorf("revision = %s, changed = %q; want %s and nothing", state.Revision, state.Changed, head)
			}
			if want := []string{"inner", "middle", "v1.1.0"}; !slices.Equal(state.Tags, want) {
				t.Errorf("tags = %q, want %q", state.Tags, want)
			}
			if want := []string{"inner", "middle", "v1.0.0", "v1.1.0"}; !slices.Equal(state.Merged, want) {
				t.Errorf("merged tags = %q, want %q", state.Merged, want)
			}
			commits, err := repo.Log(context.Background(), "", ".")
			if err != nil || len(commits) != 2 || commits[0].Hash != head || commits[0].Subject != "second" {
				t.Errorf("log = %+v, %v", commits, err)
			}
		})
	}
}
