package golist

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// repo is a copy of a module of testdata/modules in a git repository.
type repo struct {
	t   *testing.T
	dir string
	env []string
}

func newRepo(t *testing.T, module string) *repo {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &repo{t: t, dir: filepath.Join(dir, "repo")}
	if err := os.CopyFS(r.dir, os.DirFS(filepath.Join("../../../testdata/modules", module))); err != nil {
		t.Fatal(err)
	}
	r.env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := testtool.Command(r.t, "git", args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) commit() *repo {
	r.t.Helper()
	r.git("init", "-q", "-b", "main")
	r.git("add", "-A", "-f")
	r.git("commit", "-q", "-m", "first")
	return r
}

func (r *repo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// tree is the module with its main package.
func (r *repo) tree(env ...string) Tree {
	r.t.Helper()
	return r.treeOf(".", env...)
}

// treeOf is the module in a folder.
func (r *repo) treeOf(folder string, env ...string) Tree {
	r.t.Helper()
	dir := filepath.Join(r.dir, folder)
	g, err := gocmd.Read(r.t.Context(), dir, append(slices.Clone(r.env), env...))
	if err != nil {
		r.t.Fatal(err)
	}
	gomod := modfile.ModulePath([]byte(r.read(filepath.Join(folder, "go.mod"))))
	return Tree{Go: g, Dir: dir, Root: r.dir, Dist: filepath.Join(r.dir, "dist"), Mod: g.ModMode, Mains: []Main{{Package: gomod, Tags: strings.Join(g.Tags, ",")}}}
}

// head is what the commit holds.
func (r *repo) head() *source.Commit {
	r.t.Helper()
	g, err := git.Open(r.dir, r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	commit, err := source.Read(r.t.Context(), g, r.git("rev-parse", "HEAD"))
	if err != nil {
		r.t.Fatal(err)
	}
	return commit
}

var linux = plan.Platform{OS: "linux", Architecture: runtime.GOARCH}

// compiled is what the go command reads, as it is listed now.
func (r *repo) compiled(env ...string) Compiled {
	r.t.Helper()
	s, err := List(r.t.Context(), r.tree(env...), linux)
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := s.Compiled(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// differences are the compiled files that differ from the commit, and why.
func (r *repo) differences(env ...string) []string {
	r.t.Helper()
	c, commit := r.compiled(env...), r.head()
	gone, err := c.Gone(r.t.Context(), commit, linux, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var files []source.File
	for _, name := range slices.Concat(c.Files, gone) {
		files = append(files, source.File{Path: name})
	}
	found, err := commit.Compare(r.t.Context(), files, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, d := range found {
		all = append(all, d.File+" "+d.Kind.String())
	}
	return all
}
