package materials

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// repo is a module in a git repository, whose release has archives.
type repo struct {
	*testing.T
	dir string
	env []string
}

// newRepo has one commit of the files.
func newRepo(t *testing.T, files map[string]string) repo {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := repo{T: t, dir: dir, env: append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK=", "SOURCE_DATE_EPOCH=",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com")}
	r.write("svc/go.mod", "module example.com/svc\n\ngo 1.26\n")
	r.write("svc/main.go", "package main\n\nfunc main() {}\n")
	for name, content := range files {
		r.write(name, content)
	}
	r.git("init", "-q", "-b", "main")
	r.git("add", "-A")
	r.git("commit", "-q", "-m", "first")
	return r
}

func (r repo) write(name, content string) {
	r.Helper()
	file := filepath.Join(r.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		r.Fatal(err)
	}
}

func (r repo) remove(name string) {
	r.Helper()
	if err := os.Remove(filepath.Join(r.dir, filepath.FromSlash(name))); err != nil {
		r.Fatal(err)
	}
}

func (r repo) git(args ...string) {
	r.Helper()
	cmd := testtool.Command(r, "git", args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// source is the service of the repository.
func (r repo) source() Source {
	r.Helper()
	resolved, err := resolve.Start(r.Context(), resolve.Input{
		Config: plan.Config{Dir: "svc"}, Workdir: r.dir, Env: r.env, Archives: true,
		Platforms: []string{"linux/" + runtime.GOARCH}, Dist: filepath.Join(r.dir, "dist"),
	})
	if err != nil {
		r.Fatal(err)
	}
	return Source{Draft: resolved, Folder: r.TempDir()}
}

// files are the files of a source, and what compares them.
func (r repo) files(s Source) (Files, Lists, *source.Commit) {
	r.Helper()
	lists := Lists{}
	for _, platform := range s.Platforms() {
		var err error
		if lists[platform], err = s.List(r.Context(), platform, nil); err != nil {
			r.Fatal(err)
		}
	}
	commit, err := s.Draft.Commit(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	files, err := s.Files(r.Context(), lists, commit)
	if err != nil {
		r.Fatal(err)
	}
	return files, lists, commit
}

// differences are the files that differ from the commit, and how.
func (r repo) differences(s Source, files Files, commit *source.Commit) (all []string) {
	r.Helper()
	found, err := s.Differences(r.Context(), files, commit)
	if err != nil {
		r.Fatal(err)
	}
	for _, d := range found {
		all = append(all, d.File+" "+d.Kind.String())
	}
	return all
}

// archived are the names and contents of what goes into archives.
func (r repo) archived(files Files) (all []string) {
	r.Helper()
	entries, err := files.ReadArchived(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name+" "+string(e.Data))
	}
	return all
}

// What goes into archives is the commit's, and is compared with it.
func TestArchived(t *testing.T) {
	r := newRepo(t, map[string]string{
		"svc/README.md": "svc", "svc/Readme.txt": "another", "README.md": "top", "LICENSE": "l", "NOTICE.txt": "n", ".gitignore": "*.local*\n",
		"docs/README.md": "docs", "READMEs": "no",
	})
	r.write("svc/LICENSE.local", "ignored")
	r.write("svc/COPYING", "untracked")
	r.write("README.local.md", "ignored")
	s := r.source()
	files, _, commit := r.files(s)
	if got, want := r.archived(files), []string{"README.md svc", "LICENSE l", "NOTICE.txt n"}; !slices.Equal(got, want) {
		t.Errorf("archived are %q, want %q", got, want)
	}
	// The licence is read from these two as well.
	if got, want := r.differences(s, files, commit), []string{"svc/COPYING is in no commit", "svc/LICENSE.local is in no commit"}; !slices.Equal(got, want) {
		t.Errorf("differences are %q, want %q", got, want)
	}
	r.remove("svc/COPYING")
	r.remove("svc/LICENSE.local")

	// Git does not see these changes.
	r.git("update-index", "--skip-worktree", "svc/README.md", "NOTICE.txt")
	r.write("svc/README.md", "edited")
	r.remove("NOTICE.txt")
	s = r.source()
	files, _, commit = r.files(s)
	if got, want := r.differences(s, files, commit), []string{"NOTICE.txt is missing here", "svc/README.md differs from the commit"}; !slices.Equal(got, want) {
		t.Errorf("differences are %q, want %q", got, want)
	}
	if got, want := r.archived(files), []string{"README.md edited", "LICENSE l"}; !slices.Equal(got, want) {
		t.Errorf("archived are %q, want %q", got, want)
	}
	r.write("svc/README.md", "again")
	if changed, err := files.CopiedBefore.Changed(files.Copied); err != nil || changed != filepath.Join(r.dir, "svc", "README.md") {
		t.Errorf("changed is %q, %v", changed, err)
	}

	// Without archives, a README is nobody's business.
	s.Draft.Archives = false
	files, _, commit = r.files(s)
	if got, want := r.differences(s, files, commit), []string{"NOTICE.txt is missing here"}; !slices.Equal(got, want) {
		t.Errorf("without archives, the differences are %q, want %q", got, want)
	}
	why := errors.New("why")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(why)
	if _, err := (Files{Archived: []string{filepath.Join(r.dir, "README.md")}}).ReadArchived(ctx); !errors.Is(err, why) {
		t.Errorf("after the context ended: %v", err)
	}
}

// Without git, the files are those on disk.
func TestArchivedWithoutGit(t *testing.T) {
	r := newRepo(t, map[string]string{"svc/README.md": "svc", "svc/LICENSE": "l"})
	if err := os.RemoveAll(filepath.Join(r.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("README.md", filepath.Join(r.dir, "svc", "NOTICE")); err != nil {
		t.Skipf("this user may not make symlinks: %v", err)
	}
	files, _, _ := r.files(r.source())
	if got, want := r.archived(files), []string{"LICENSE l", "README.md svc"}; !slices.Equal(got, want) {
		t.Errorf("archived are %q, want %q", got, want)
	}
}

// A licence that the commit has and that is missing here is a difference: the documents would
// call it unknown.
func TestMissingLicenses(t *testing.T) {
	r := newRepo(t, map[string]string{
		"svc/go.mod":  "module example.com/svc\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n",
		"svc/main.go": "package main\n\nimport _ \"example.com/lib/sub\"\n\nfunc main() {}\n",
		"lib/go.mod":  "module example.com/lib\n\ngo 1.26\n", "lib/sub/s.go": "package sub\n",
		"LICENSE": "", "svc/LICENSES/MIT.txt": "", "lib/COPYING": "", "lib/sub/NOTICE": "", "lib/other/LICENSE": "",
	})
	gone := []string{"LICENSE", "lib/COPYING", "lib/other/LICENSE", "lib/sub/NOTICE", "svc/LICENSES/MIT.txt"}
	r.git(append([]string{"update-index", "--skip-worktree"}, gone...)...)
	for _, name := range gone {
		r.remove(name)
	}
	s := r.source()
	files, _, commit := r.files(s)
	want := []string{"LICENSE is missing here", "lib/COPYING is missing here", "lib/sub/NOTICE is missing here", "svc/LICENSES/MIT.txt is missing here"}
	if got := r.differences(s, files, commit); !slices.Equal(got, want) {
		t.Errorf("differences are %q, want %q", got, want)
	}
}

// An earlier list that is still valid is not read again.
func TestListTakesTheEarlierOne(t *testing.T) {
	r := newRepo(t, nil)
	s := r.source()
	_, lists, _ := r.files(s)
	if err := os.RemoveAll(s.Folder); err != nil {
		t.Fatal(err)
	}
	for platform, list := range lists {
		again, err := s.List(t.Context(), platform, list)
		if err != nil || again != list {
			t.Errorf("the list of %s is made again: %v", platform, err)
		}
		r.write("svc/more.go", "package main\n")
		if again, err = s.List(t.Context(), platform, list); err != nil || again == list {
			t.Errorf("after a change, the list of %s is the earlier one: %v", platform, err)
		}
	}
}

// What C may include is an input of an image with cgo, tests too, whatever the list says.
func TestInputPathsOfC(t *testing.T) {
	r := newRepo(t, map[string]string{"x.h": "", "svc/native/n.c": "#include \"../../x.h\"\n"})
	s := r.source()
	p := s.Draft.Plan
	p.InputPlatforms = p.Platforms
	for _, cgo := range []bool{true, false} {
		in := golist.Inputs{Folders: []string{"svc"}}
		if cgo {
			in.Trees = []string{filepath.Join(r.dir, "svc")}
		}
		paths, err := s.inputPaths(t.Context(), Lists{p.Platforms[0]: {Inputs: map[string]golist.Inputs{golist.Mains(p, p.Images[0])[0].Key(): in}}}, p.Images[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"x.h", "svc/native/new.h", "svc/x_test.go"} {
			if paths.Match(name) != cgo {
				t.Errorf("with cgo %t, whether %s is an input is %t", cgo, name, !cgo)
			}
		}
	}
}

// The profiles of the main packages are named with their hashes, if they exist.
func TestProfiles(t *testing.T) {
	r := newRepo(t, map[string]string{"svc/default.pgo": "a profile"})
	s := r.source()
	_, lists, _ := r.files(s)
	got, err := s.Profiles(t.Context(), lists)
	want := []plan.Profile{{Name: "svc/default.pgo", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("a profile")))}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the profiles are %+v, %v, want %+v", got, err, want)
	}
	r.remove("svc/default.pgo")
	if got, err = s.Profiles(t.Context(), lists); err != nil || len(got) > 0 {
		t.Errorf("without the file, they are %+v, %v", got, err)
	}
}
