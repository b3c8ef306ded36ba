package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// repository is a new one in a folder beside which nothing else is.
type repository struct {
	t   testing.TB
	dir string
}

func newRepository(t *testing.T, format string) *repository {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &repository{t, filepath.Join(dir, "repo")}
	r.write("main.go", "package main\n\nfunc main() {}\n")
	r.write("static/a.txt", "a\nb\n")
	r.write("static/deep/b.txt", "b\n")
	r.write("run.sh", "#!/bin/sh\n")
	if err := os.Chmod(r.path("run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write(".gitignore", "ignored/\n")
	r.symlink("static", "link")
	r.symlink("../static/a.txt", "links/to-a")
	r.git("init", "-q", "-b", "main", "--object-format="+format)
	return r.commit()
}

func (r *repository) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r *repository) write(name, content string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) symlink(to, name string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.RemoveAll(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink(to, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) remove(name string) {
	r.t.Helper()
	if err := os.RemoveAll(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func environment() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_ALLOW_PROTOCOL=file",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := testtool.Command(r.t, "git", args...)
	cmd.Dir, cmd.Env = r.dir, environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) commit() *repository {
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "a commit")
	return r
}

func (r *repository) read() *Commit {
	r.t.Helper()
	repo, err := git.Open(r.dir, environment())
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := Read(context.Background(), repo, r.git("rev-parse", "HEAD"))
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// differences are those of the files, by name.
func (r *repository) differences(names ...string) []Difference {
	r.t.Helper()
	var files []File
	for _, name := range names {
		plain := strings.TrimPrefix(name, "link:")
		files = append(files, File{Path: r.path(plain), Link: plain != name})
	}
	found, err := r.read().Compare(context.Background(), files, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

const lfsContent = "the content that Git LFS keeps\n"

// pointer is what git lfs pointer prints for lfsContent.
const pointer = "version https://git-lfs.github.com/spec/v1\n" +
	"oid sha256:b808b7b5174988f5e7ae4cd9f3ca66261149994dc4acb33129f6e5221bb25199\nsize 31\n"

// TestCompare has what git says nothing of, what git says and what does not matter, and
// what is as the commit has it.
func TestCompare(t *testing.T) {
	all := []string{"main.go", "static/a.txt", "static/deep/b.txt", "run.sh"}
	for _, test := range []struct {
		name    string
		prepare func(*repository)
		files   []string
		// want is what is found, as "file kind"; reason is in the first reason.
		want   []string
		reason string
		// silent says that git status shows nothing.
		silent bool
	}{
		{name: "as committed", files: all, silent: true},
		{name: "changed", files: all, prepare: func(r *repository) { r.write("static/a.txt", "other") }, want: []string{"static/a.txt differs from the commit"}},
		{name: "untracked", files: append(all, "new.go"), prepare: func(r *repository) { r.write("new.go", "package main\n") }, want: []string{"new.go is in no commit"}},
		{name: "ignored", files: []string{"ignored/x.go"}, prepare: func(r *repository) { r.write("ignored/x.go", "package x\n") }, want: []string{"ignored/x.go is in no commit"}, silent: true},
		{name: "staged only", files: []string{"new.go"}, prepare: func(r *repository) { r.write("new.go", "package main\n"); r.git("add", "new.go") }, want: []string{"new.go is in no commit"}},
		{name: "staged and undone", files: all, prepare: func(r *repository) {
			r.write("main.go", "other")
			r.git("add", "main.go")
			r.write("main.go", "package main\n\nfunc main() {}\n")
		}},
		{name: "removed from the index", files: all, prepare: func(r *repository) { r.git("rm", "-q", "--cached", "main.go") }},
		{name: "no index", files: all, prepare: func(r *repository) { r.remove(".git/index") }},
		{name: "deleted", files: all, prepare: func(r *repository) { r.remove("static") }, want: []string{"static/a.txt is missing here", "static/deep/b.txt is missing here"}},
		{name: "assume-unchanged", files: all, prepare: func(r *repository) {
			r.git("update-index", "--assume-unchanged", "main.go")
			r.write("main.go", "other")
		}, want: []string{"main.go differs from the commit"}, silent: true},
		{name: "skip-worktree", files: all, prepare: func(r *repository) {
			r.git("update-index", "--skip-worktree", "main.go")
			r.write("main.go", "other")
		}, want: []string{"main.go differs from the commit"}, silent: true},
		{name: "core.ignoreStat", files: all, prepare: func(r *repository) {
			r.git("config", "core.ignoreStat", "true")
			r.git("update-index", "--really-refresh")
			r.git("update-index", "--assume-unchanged", "main.go")
			r.write("main.go", "other")
		}, want: []string{"main.go differs from the commit"}, silent: true},
		{name: "info/exclude", files: []string{"new.go"}, prepare: func(r *repository) {
			r.write(".git/info/exclude", "new.go\n")
			r.write("new.go", "package main\n")
		}, want: []string{"new.go is in no commit"}, silent: true},
		{name: "core.excludesFile", files: []string{"new.go"}, prepare: func(r *repository) {
			r.write(".git/excludes", "new.go\n")
			r.git("config", "core.excludesFile", r.path(".git/excludes"))
			r.write("new.go", "package main\n")
		}, want: []string{"new.go is in no commit"}, silent: true},
		{name: "core.autocrlf", files: all, prepare: func(r *repository) {
			r.git("config", "core.autocrlf", "true")
			r.remove("static/a.txt")
			r.git("checkout", "-q", "--", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, reason: `core.autocrlf=false (git config core.autocrlf false) and check the files out again, or write "* -text"`, silent: true},
		{name: "eol=crlf", files: all, prepare: func(r *repository) {
			r.write(".git/info/attributes", "*.txt text eol=crlf\n")
			r.remove("static/a.txt")
			r.git("checkout", "-q", "--", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, reason: "-text", silent: true},
		{name: "a smudge filter", files: all, prepare: func(r *repository) {
			r.git("config", "filter.up.smudge", "tr a-z A-Z")
			r.git("config", "filter.up.clean", "tr A-Z a-z")
			r.write(".git/info/attributes", "static/* filter=up\n")
			r.remove("static/a.txt")
			r.git("checkout", "-q", "--", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "a clean filter that hides everything", files: all, prepare: func(r *repository) {
			r.git("config", "filter.same.clean", "git cat-file blob HEAD:static/a.txt")
			r.write(".git/info/attributes", "static/a.txt filter=same\n")
			r.write("static/a.txt", "other")
			r.git("add", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "ident", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", "$Id$\n")
			r.write(".gitattributes", "*.txt ident\n")
			r.commit()
			r.remove("static/a.txt")
			r.git("checkout", "-q", "--", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "working-tree-encoding", files: all, prepare: func(r *repository) {
			r.write(".gitattributes", "/static/a.txt working-tree-encoding=UTF-16LE\n")
			r.remove("static/a.txt")
			r.git("checkout", "-q", "--", "static/a.txt")
			r.git("add", ".gitattributes")
			r.git("commit", "-q", "-m", "encoding")
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "a replaced blob", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", "other")
			other := r.git("hash-object", "-w", "static/a.txt")
			r.git("replace", r.git("rev-parse", "HEAD:static/a.txt"), other)
			r.git("update-index", "--assume-unchanged", "static/a.txt")
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "a replaced tree", files: all, prepare: func(r *repository) {
			before := r.git("rev-parse", "HEAD^{tree}")
			r.write("static/a.txt", "other")
			r.git("add", "-A")
			r.git("replace", before, r.git("write-tree"))
		}, want: []string{"static/a.txt differs from the commit"}, silent: true},
		{name: "modes do not count", files: all, prepare: func(r *repository) {
			if err := os.Chmod(r.path("main.go"), 0o755); err != nil {
				r.t.Fatal(err)
			}
			if err := os.Chmod(r.path("run.sh"), 0o644); err != nil {
				r.t.Fatal(err)
			}
		}},
		{name: "a pointer of Git LFS as content", files: all, prepare: func(r *repository) { r.write("static/a.txt", pointer); r.commit() },
			want: []string{"static/a.txt is a pointer of Git LFS"}, reason: "git lfs pull", silent: true},
		{name: "an old pointer of Git LFS as content", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", strings.Replace(pointer, "git-lfs", "hawser", 1))
			r.commit()
		}, want: []string{"static/a.txt is a pointer of Git LFS"}, silent: true},
		{name: "a text that begins as a pointer of Git LFS", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", pointer+strings.Repeat("is a pointer of Git LFS\n", 50))
			r.commit()
		}, silent: true},
		{name: "the content to a pointer of Git LFS", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", pointer)
			r.commit()
			r.write("static/a.txt", lfsContent)
		}},
		{name: "other content than the pointer's", files: all, prepare: func(r *repository) {
			r.write("static/a.txt", pointer)
			r.commit()
			r.write("static/a.txt", lfsContent+"x")
		}, want: []string{"static/a.txt differs from the commit"}},
		{name: "a tracked symlink to a tracked file", files: []string{"links/to-a", "link/a.txt", "link/deep/b.txt", "link:link", "link"}, silent: true},
		{name: "a tracked symlink to a changed file", files: []string{"links/to-a"}, prepare: func(r *repository) { r.write("static/a.txt", "other") },
			want: []string{"links/to-a differs from the commit"}},
		{name: "a tracked symlink to an ignored file", files: []string{"links/x"}, prepare: func(r *repository) {
			r.write("ignored/x.go", "package x\n")
			r.symlink("../ignored/x.go", "links/x")
			r.commit()
		}, want: []string{"links/x is in no commit"}, reason: "a symlink leads to ignored/x.go", silent: true},
		{name: "a tracked symlink to a folder outside", files: []string{"out/x.go"}, prepare: func(r *repository) {
			r.write("../outside/x.go", "package x\n")
			r.symlink("../outside", "out")
			r.commit()
		}, want: []string{"out/x.go is outside of the repository"}, silent: true},
		{name: "two symlinks that lead outside", files: []string{"one"}, prepare: func(r *repository) {
			r.write("../outside/x.go", "package x\n")
			r.symlink("two", "one")
			r.symlink("../outside/x.go", "two")
			r.commit()
		}, want: []string{"one is outside of the repository"}, silent: true},
		{name: "a symlink that leads outside through another and ..", files: []string{"one"}, prepare: func(r *repository) {
			r.write("../outside/sub/y", "")
			r.write("../outside/x.go", "package x\n")
			r.write("x.go", "package x\n")
			r.symlink("../outside/sub", "two")
			r.symlink("two/../x.go", "one")
			r.commit()
		}, want: []string{"one is outside of the repository"}, silent: true},
		{name: "a symlink that leads to an ignored file through another and ..", files: []string{"one"}, prepare: func(r *repository) {
			r.write("ignored/sub/y", "")
			r.write("ignored/x.go", "package x\n")
			r.write("x.go", "package x\n")
			r.symlink("ignored/sub", "two")
			r.symlink("two/../x.go", "one")
			r.commit()
		}, want: []string{"one is in no commit"}, silent: true},
		{name: "a symlink through an ignored one and ..", files: []string{"one"}, prepare: func(r *repository) {
			r.symlink("../static/deep", "ignored/two")
			r.symlink("ignored/two/../a.txt", "one")
			r.commit()
		}, want: []string{"one is in no commit"}, silent: true},
		{name: "a symlink through tracked folders and ..", files: []string{"one", "deep/up/a.txt"}, prepare: func(r *repository) {
			r.symlink("links/../static/deep/.././a.txt", "one")
			r.symlink("../static/deep/..", "deep/up")
			r.commit()
		}, silent: true},
		{name: "a symlink that leads nowhere, for itself", files: []string{"link:nowhere"}, prepare: func(r *repository) { r.symlink("gone", "nowhere"); r.commit() }, silent: true},
		{name: "an untracked symlink to a tracked file", files: []string{"ignored/l"}, prepare: func(r *repository) { r.symlink("../main.go", "ignored/l") },
			want: []string{"ignored/l is in no commit"}, silent: true},
		{name: "a symlink that was turned", files: []string{"links/to-a", "link:links/to-a"}, prepare: func(r *repository) { r.symlink("../static/deep/b.txt", "links/to-a") },
			want: []string{"links/to-a differs from the commit"}},
		{name: "a file in place of a symlink", files: []string{"links/to-a"}, prepare: func(r *repository) {
			r.git("config", "core.symlinks", "false")
			r.remove("links/to-a")
			r.git("checkout", "-q", "--", "links/to-a")
		}, want: []string{"links/to-a differs from the commit"}, reason: "core.symlinks", silent: true},
		{name: "a symlink in place of a file", files: []string{"static/a.txt"}, prepare: func(r *repository) { r.symlink("../main.go", "static/a.txt") },
			want: []string{"static/a.txt differs from the commit"}},
		{name: "a folder in place of a file", files: []string{"main.go/x.go"}, prepare: func(r *repository) { r.remove("main.go"); r.write("main.go/x.go", "package x\n") },
			want: []string{"main.go/x.go differs from the commit"}},
		{name: "a folder", files: []string{"static", "empty"}, prepare: func(r *repository) {
			if err := os.Mkdir(r.path("empty"), 0o755); err != nil {
				r.t.Fatal(err)
			}
		}, want: []string{"empty is in no commit"}, silent: true},
		{name: "outside", files: []string{"../outside/x.go", "../outside/none.go", "none.go", "none/none.go", "main.go"}, prepare: func(r *repository) { r.write("../outside/x.go", "package x\n") },
			want: []string{"../outside/x.go is outside of the repository"}, silent: true},
		{name: "a sparse checkout", files: []string{"main.go"}, prepare: func(r *repository) { r.git("sparse-checkout", "set", "links") }, silent: true},
		{name: "a sparse checkout without what is needed", files: []string{"main.go", "static/a.txt"}, prepare: func(r *repository) { r.git("sparse-checkout", "set", "links") },
			want: []string{"static/a.txt is missing here"}, silent: true},
		{name: "names that are hard to write", files: []string{"static/a \"b\"\té.txt"}, prepare: func(r *repository) { r.write("static/a \"b\"\té.txt", "x"); r.commit() }, silent: true},
	} {
		formats := []string{"sha1"}
		if slices.Contains([]string{"as committed", "changed", "core.autocrlf", "the content to a pointer of Git LFS"}, test.name) {
			formats = append(formats, "sha256")
		}
		for _, format := range formats {
			t.Run(test.name+" "+format, func(t *testing.T) {
				t.Parallel()
				r := newRepository(t, format)
				if test.prepare != nil {
					test.prepare(r)
				}
				if out := r.git("status", "--porcelain"); test.silent && out != "" {
					t.Fatalf("git sees it: %s", out)
				}
				found := r.differences(test.files...)
				var got []string
				for _, d := range found {
					got = append(got, d.File+" "+d.Kind.String())
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("found %q, want %q", got, test.want)
				}
				if test.reason != "" && (len(found) == 0 || !strings.Contains(found[0].Reason, test.reason)) {
					t.Errorf("the reason of %+v does not say %q", found, test.reason)
				}
			})
		}
	}
}

// TestSubmodule compares the files of a submodule with its own commit.
func TestSubmodule(t *testing.T) {
	testtool.NotShort(t)
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			if format != "sha1" {
				testtool.OnRequest(t, "it makes and clones many repositories")
			}
			t.Parallel()
			inner, lib, r := newRepository(t, format), newRepository(t, format), newRepository(t, format)
			lib.git("submodule", "--quiet", "add", "file://"+inner.dir, "inner")
			lib.commit()
			r.git("submodule", "--quiet", "add", "file://"+lib.dir, "third_party/lib")
			r.git("submodule", "--quiet", "update", "--init", "--recursive")
			r.symlink("third_party/lib/static", "vendored")
			r.commit()
			files := []string{"main.go", "third_party/lib/main.go", "third_party/lib/inner/static/a.txt", "vendored/a.txt", "third_party/lib", "third_party/lib/inner"}
			if found := r.differences(files...); len(found) > 0 {
				t.Errorf("at the commit's own revision: %v", found)
			}
			below, err := r.read().Files(context.Background(), r.path("third_party"), true)
			if err != nil || len(below) != 15 || slices.ContainsFunc(below, func(f string) bool { return strings.HasSuffix(f, string(filepath.Separator)+".git") }) {
				t.Errorf("below third_party: %d files %q, %v", len(below), below, err)
			}
			r.write("third_party/lib/main.go", "other")
			r.write("third_party/lib/new.go", "package lib\n")
			r.write("third_party/lib/inner/static/a.txt", "other")
			var got []string
			for _, d := range r.differences(append(files, "third_party/lib/new.go", "third_party/lib/.git")...) {
				got = append(got, d.File+": "+d.Kind.String())
			}
			want := []string{
				"third_party/lib/.git: is in no commit", "third_party/lib/inner/static/a.txt: differs from the commit", "third_party/lib/main.go: differs from the commit",
				"third_party/lib/new.go: is in no commit",
			}
			if !slices.Equal(got, want) {
				t.Errorf("changed: %q, want %q", got, want)
			}

			// A later revision is checked out: what differs is found, what is the same is not.
			r.git("submodule", "--quiet", "update", "--init", "--recursive", "--force")
			r.remove("third_party/lib/new.go")
			sub := &repository{t, r.path("third_party/lib")}
			sub.write("main.go", "package lib // later\n")
			sub.commit()
			if found := r.differences(files...); len(found) != 1 || found[0].File != "third_party/lib/main.go" {
				t.Errorf("at a later revision: %v", found)
			}
			// The commit names that, and it was never fetched here.
			r.commit()
			clone := &repository{t, r.path("../clone")}
			r.git("clone", "-q", "file://"+r.dir, clone.dir)
			if found := clone.differences("third_party/lib/main.go", "main.go"); len(found) != 1 || found[0].File != "third_party/lib/main.go" {
				t.Errorf("not checked out: %v", found)
			}
			if below, err := clone.read().Files(context.Background(), clone.path("third_party"), true); err != nil || len(below) != 1 || !Gone(below[0]) || len(clone.differences("third_party/lib")) != 1 {
				t.Errorf("not checked out: %q, %v", below, err)
			}
			clone.git("-c", "submodule.third_party/lib.url="+lib.dir, "submodule", "--quiet", "init")
			clone.git("clone", "-q", "file://"+lib.dir, "third_party/lib")
			if found := clone.differences("third_party/lib/main.go"); len(found) != 1 || !strings.Contains(found[0].Reason, "git submodule update") {
				t.Errorf("without the revision: %v", found)
			}
		})
	}
}

// TestPartialClone reads no blob: the remote of the clone is gone.
func TestPartialClone(t *testing.T) {
	origin := newRepository(t, "sha1")
	origin.git("config", "uploadpack.allowFilter", "true")
	clone := &repository{t, origin.path("../clone")}
	origin.git("clone", "-q", "--filter=blob:none", "--sparse", "file://"+origin.dir, clone.dir)
	if err := os.RemoveAll(origin.dir); err != nil {
		t.Fatal(err)
	}
	if found := clone.differences("main.go", "run.sh"); len(found) > 0 {
		t.Errorf("as committed: %v", found)
	}
	if found := clone.differences("static/a.txt"); len(found) != 1 || found[0].Kind != Missing {
		t.Errorf("not checked out: %v", found)
	}
	clone.write("main.go", "other")
	if found := clone.differences("main.go"); len(found) != 1 || found[0].Kind != Changed {
		t.Errorf("changed: %v", found)
	}
}

func TestExecutableIsTheCommits(t *testing.T) {
	r := newRepository(t, "sha1")
	r.git("config", "core.fileMode", "false")
	for name, mode := range map[string]os.FileMode{"run.sh": 0o644, "main.go": 0o755} {
		if err := os.Chmod(r.path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	r.write("new.sh", "")
	var files []string
	want := map[string]bool{"run.sh": true, "main.go": false, "link/a.txt": false}
	for _, name := range []string{"run.sh", "main.go", "link/a.txt", "new.sh", "../x"} {
		files = append(files, r.path(name))
	}
	got, err := r.read().Executable(context.Background(), files)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for name, is := range want {
		if known, ok := got[r.path(name)]; !ok || known != is {
			t.Errorf("%s: %t, known %t; want %t", name, known, ok, is)
		}
	}
}

func TestFiles(t *testing.T) {
	r := newRepository(t, "sha1")
	r.remove("static/a.txt")
	r.write("static/new.txt", "")
	for _, test := range []struct {
		folder string
		deep   bool
		want   []string
	}{
		{"static", false, []string{"static/a.txt"}},
		{"static", true, []string{"static/a.txt", "static/deep/b.txt"}},
		{"link", false, []string{"static/a.txt"}},
		{"stat", true, nil},
		{"../outside", true, nil},
		{".", false, []string{".gitignore", "link", "main.go", "run.sh"}},
	} {
		var want []string
		for _, name := range test.want {
			want = append(want, r.path(name))
		}
		got, err := r.read().Files(context.Background(), r.path(test.folder), test.deep)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", test.folder, got, err, want)
		}
	}
}

func TestSnapshot(t *testing.T) {
	r := newRepository(t, "sha1")
	files := []string{r.path("main.go"), r.path("static/a.txt"), r.path("links/to-a"), r.path("gone")}
	for _, test := range []struct {
		name   string
		change func()
		want   string
	}{
		{"nothing", func() {}, ""},
		{"content of the same size and time", func() {
			info, err := os.Stat(r.path("main.go"))
			if err != nil {
				t.Fatal(err)
			}
			r.write("main.go", strings.Repeat("x", int(info.Size())))
			if err := os.Chtimes(r.path("main.go"), info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, "main.go"},
		{"a file that appears", func() { r.write("gone", "") }, "gone"},
		{"a file that disappears", func() { r.remove("static/a.txt") }, "static/a.txt"},
		{"another file of the same name", func() { r.write("other", "a"); os.Rename(r.path("other"), r.path("static/a.txt")) }, "static/a.txt"},
		{"what a symlink leads to", func() { r.write("static/a.txt", "longer than before") }, "static/a.txt"},
	} {
		before, err := Take(files)
		if err != nil {
			t.Fatal(err)
		}
		test.change()
		want := test.want
		if want != "" {
			want = r.path(want)
		}
		if got, err := before.Changed(files); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, want)
		}
	}
	if got, err := (Snapshot{}).Changed(files[:1]); err != nil || got != files[0] {
		t.Errorf("a file that the snapshot does not have: %q, %v", got, err)
	}
}

// A file that takes long to read ends with the context, also one that Git LFS may keep.
func TestCompareEndsWithTheContext(t *testing.T) {
	r := newRepository(t, "sha1")
	r.write("large", "x")
	r.commit()
	c := r.read()
	if err := os.Truncate(r.path("large"), 1<<36); err != nil { // sparse
		t.Fatal(err)
	}
	why := errors.New("why")
	at, err := newWalk(c).locate(t.Context(), r.path("large"), true)
	if err != nil {
		t.Fatal(err)
	}
	for name, compare := range map[string]func(context.Context) error{
		"compare": func(ctx context.Context) error {
			_, err := c.Compare(ctx, []File{{Path: r.path("large")}}, nil)
			return err
		},
		"Git LFS": func(ctx context.Context) error {
			_, err := at.explain(ctx)
			return err
		},
	} {
		ctx, stop := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, why)
		began := time.Now()
		err := compare(ctx)
		stop()
		if took := time.Since(began); !errors.Is(err, why) || took > 5*time.Second {
			t.Errorf("%s, after %s: %v", name, took, err)
		}
	}
}
