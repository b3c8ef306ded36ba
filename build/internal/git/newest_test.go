package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// history is a repository with a commit for each of the files, in order, a day apart.
func history(t *testing.T, files ...string) (*git.Repo, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	commits := map[string]string{}
	call := func(date string, args ...string) string {
		cmd := testtool.Command(t, "git", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE="+date, "GIT_AUTHOR_DATE="+date,
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v", args, err)
		}
		return string(out)
	}
	call("", "init", "-q", "-b", "main")
	for i, name := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		date := "2026-02-0" + string(rune('1'+i)) + "T00:00:00Z"
		call(date, "add", "-A")
		call(date, "commit", "-q", "-m", name)
		commits[call("", "rev-parse", "HEAD")[:40]] = name
	}
	call("", "config", "log.follow", "true") // which git log would obey
	repo, err := git.Open(dir, append(os.Environ(), "GIT_LITERAL_PATHSPECS=1"))
	if err != nil {
		t.Fatal(err)
	}
	return repo, commits
}

// Git and Match must agree on what a path is.
func TestNewest(t *testing.T) {
	files := []string{"go.mod", "a/a.go", "a/a_test.go", "a/README.md", "a/web/css/x.css", "a/[x]/y.go", "COPYING", "a/b/LICENCE.txt"}
	repo, commits := history(t, files...)
	for _, test := range []struct {
		name  string
		paths git.Paths
		want  string
	}{
		{"a file", git.Paths{Names: []string{"go.mod"}}, "go.mod"},
		{"a folder", git.Paths{Names: []string{"a/web"}}, "a/web/css/x.css"},
		{"what begins like it", git.Paths{Names: []string{"a/we"}}, ""},
		{"the last of several", git.Paths{Names: []string{"go.mod", "a/README.md"}, Globs: []string{"a/*.go"}}, "a/README.md"},
		{"sources of one folder", git.Paths{Globs: []string{"a/*.go"}}, "a/a_test.go"},
		{"without tests", git.Paths{Globs: []string{"a/*.go"}, Except: []string{"a/*_test.go"}}, "a/a.go"},
		{"a folder by a pattern", git.Paths{Globs: []string{"a/w*/**"}}, "a/web/css/x.css"},
		{"a pattern that matches the folder alone", git.Paths{Globs: []string{"a/w*"}}, ""},
		{"a name with a pattern in it", git.Paths{Globs: []string{git.Quote("a/[x]") + "/*.go"}}, "a/[x]/y.go"},
		{"the same, literally", git.Paths{Names: []string{"a/[x]"}}, "a/[x]/y.go"},
		{"a licence in any case", git.Paths{CaseFold: []string{"copying*"}}, "COPYING"},
		{"all", git.Paths{Globs: []string{"*", "*/**"}}, "a/b/LICENCE.txt"},
		{"all at once", git.Paths{Globs: []string{"**"}}, "a/b/LICENCE.txt"},
		{"nothing", git.Paths{Names: []string{"gone.go"}}, ""},
	} {
		revision, when, err := repo.Newest(t.Context(), test.paths)
		if err != nil || commits[revision] != test.want {
			t.Errorf("%s: %q of %s, %v; want %q", test.name, commits[revision], when, err, test.want)
		}
		if i := slices.Index(files, test.want); i >= 0 && !when.Equal(time.Date(2026, 2, 1+i, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: the time is %s", test.name, when)
		}
		last := ""
		for _, f := range files {
			if test.paths.Match(f) {
				last = f
			}
		}
		if last != test.want {
			t.Errorf("%s: the last that matches is %q, want %q", test.name, last, test.want)
		}
	}
	if _, _, err := repo.Newest(t.Context(), git.Paths{Names: []string{"a\nb"}}); err == nil {
		t.Error("a name with a line break is taken")
	}
}

// A clone without the trees of its history says how to get them.
func TestHistoryWithoutTrees(t *testing.T) {
	repo, _ := history(t, "a/a.go", "b/b.go", "a/c.go")
	dir := filepath.Join(t.TempDir(), "clone")
	call := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "maintenance.auto=false"}, args...) // which goes on behind the test
		if out, err := testtool.Command(t, "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	from := "file://" + filepath.ToSlash(repo.Root)
	call("-C", repo.Root, "config", "uploadpack.allowFilter", "true")
	call("-C", repo.Root, "config", "uploadpack.allowAnySHA1InWant", "true")
	call("clone", "-q", "--filter=tree:0", from, dir)
	call("-C", dir, "remote", "set-url", "origin", from+"/none") // not every git obeys GIT_NO_LAZY_FETCH
	clone, err := git.Open(dir, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	wayOut := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "git fetch --refetch --filter=blob:none") {
			t.Errorf("the error is %v", err)
		}
	}
	_, _, err = clone.Newest(t.Context(), git.Paths{Names: []string{"b"}})
	wayOut(err)
	_, err = clone.Log(t.Context(), "", "b")
	wayOut(err)
	call("-C", dir, "remote", "set-url", "origin", from)
	call("-C", dir, "fetch", "-q", "--refetch", "--filter=blob:none")
	if revision, _, err := clone.Newest(t.Context(), git.Paths{Names: []string{"b"}}); err != nil || revision == "" {
		t.Errorf("fetched: %q, %v", revision, err)
	}
	if log, err := clone.Log(t.Context(), "", "b"); err != nil || len(log) != 1 {
		t.Errorf("fetched: %v, %v", log, err)
	}
}
