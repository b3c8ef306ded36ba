package publish_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/publish"
)

// source writes a file to copy from.
func source(t testing.TB, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "source")
	ok(t, os.WriteFile(name, []byte(content), 0o755))
	return name
}

func TestCommitShowsWhatWasStaged(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "deep", "dist")
	d := open(t, dir)
	src := source(t, "binary")
	ok(t, copied(ctx, d, "bin/api/linux_amd64/api", src))
	ok(t, d.Write("sbom/api_linux_amd64.spdx.json", []byte("{}")))
	holds(t, dir, ".gitignore", ".lock", ".stage/bin/api/linux_amd64/api", ".stage/sbom/api_linux_amd64.spdx.json")
	ok(t, d.Commit(ctx, []byte("manifest")))
	holds(t, dir, ".gitignore", "bin/api/linux_amd64/api", "sbom/api_linux_amd64.spdx.json", "manifest.json")

	if got := must(os.ReadFile(filepath.Join(dir, ".gitignore"))); string(got) != "*\n" {
		t.Errorf(".gitignore is %q", got)
	}
	if got := must(os.ReadFile(filepath.Join(dir, "manifest.json"))); string(got) != "manifest" {
		t.Errorf("manifest.json is %q", got)
	}
	copy := must(os.Stat(filepath.Join(dir, "bin/api/linux_amd64/api")))
	if os.SameFile(copy, must(os.Stat(src))) {
		t.Error("the binary is a link, not a copy")
	}
	if got := must(os.ReadFile(filepath.Join(dir, "bin/api/linux_amd64/api"))); string(got) != "binary" || copy.Mode() != must(os.Stat(src)).Mode() {
		t.Errorf("the binary is %q with mode %v", got, copy.Mode())
	}
}

func TestCommitRemovesWhatTheRunDidNotMake(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	first := open(t, dir)
	ok(t, copied(ctx, first, "bin/old/linux_amd64/old", source(t, "old")))
	ok(t, copied(ctx, first, "bin/api/linux_arm64/api", source(t, "api")))
	ok(t, copied(ctx, first, "bin/api/linux_amd64/api", source(t, "api")))
	ok(t, first.Write("archives/api.tar.gz", []byte("archive")))
	ok(t, first.Layout(ctx, "oci/old", named("old:v1", indexOf("old"))))
	ok(t, first.Commit(ctx, []byte("1")))
	ok(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("the user's"), 0o644))
	ok(t, os.MkdirAll(filepath.Join(dir, "sbom", "empty", "folders"), 0o755))

	second := open(t, dir)
	ok(t, copied(ctx, second, "bin/api/linux_amd64/api", source(t, "api 2")))
	ok(t, second.Commit(ctx, []byte("2")))
	holds(t, dir, ".gitignore", "bin/api/linux_amd64/api", "manifest.json", "notes.txt")
	for _, gone := range []string{"oci", "sbom", "archives", "bin/old", "bin/api/linux_arm64"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
}

func TestCloseWithoutCommitLeavesNoTrace(t *testing.T) {
	ctx := context.Background()
	stage := func(t *testing.T, d *publish.Dist) {
		t.Helper()
		ok(t, copied(ctx, d, "bin/api/linux_amd64/api", source(t, "new")))
		ok(t, d.Write("sbom/api.spdx.json", []byte("new")))
		ok(t, d.Layout(ctx, "oci/api", named("api:v2", indexOf("new"))))
	}
	t.Run("missing folder", func(t *testing.T) {
		parent := t.TempDir()
		d := open(t, filepath.Join(parent, "a", "b", "dist"))
		stage(t, d)
		ok(t, d.Close())
		if left := tree(t, parent); len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
		ok(t, d.Close())
	})
	t.Run("empty folder", func(t *testing.T) {
		dir := t.TempDir()
		before := tree(t, dir)
		d := open(t, dir)
		stage(t, d)
		ok(t, d.Close())
		same(t, tree(t, dir), before)
	})
	t.Run("earlier run", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dist")
		first := open(t, dir)
		ok(t, copied(ctx, first, "bin/api/linux_amd64/api", source(t, "old")))
		ok(t, first.Write("sbom/api.spdx.json", []byte("old")))
		ok(t, first.Layout(ctx, "oci/api", named("api:v1", indexOf("old"))))
		ok(t, first.Commit(ctx, []byte("1")))
		before := tree(t, dir)

		d := open(t, dir)
		stage(t, d)
		ok(t, d.Close())
		same(t, tree(t, dir), before)

		cancelled, cancel := context.WithCancel(ctx)
		d = open(t, dir)
		stage(t, d)
		cancel()
		if err := d.Commit(cancelled, []byte("2")); !errors.Is(err, context.Canceled) {
			t.Errorf("commit with a cancelled context: %v", err)
		}
		ok(t, d.Close())
		same(t, tree(t, dir), before)
	})
}

func TestUnchangedRunWritesNothing(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	src := source(t, "binary")
	index := indexOf("app", inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot"))))
	run := func() {
		d := open(t, dir)
		ok(t, copied(ctx, d, "bin/api/linux_amd64/api", src))
		ok(t, d.Write("sbom/api.spdx.json", []byte("{}")))
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", index)))
		ok(t, d.Commit(ctx, []byte("1")))
	}
	stat := func() map[string]os.FileInfo {
		found := map[string]os.FileInfo{}
		for name := range tree(t, dir) {
			found[name] = must(os.Stat(filepath.Join(dir, name)))
		}
		return found
	}
	run()
	before := stat()
	run()
	for name, after := range stat() {
		switch {
		case before[name] == nil:
			t.Errorf("%s is new", name)
		case !os.SameFile(before[name], after), name != "." && !before[name].ModTime().Equal(after.ModTime()):
			t.Errorf("%s was written again", name)
		}
	}
}

// A file that the run makes comes back right whatever has become of it.
func TestCommitHealsTheFolder(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	src := source(t, "binary")
	index := indexOf("app", inCache(t.TempDir(), layerOf("etc/passwd", []byte("nonroot"))))
	run := func() {
		d := open(t, dir)
		ok(t, copied(ctx, d, "bin/api/linux_amd64/api", src))
		ok(t, d.Write("sbom/api.spdx.json", []byte("{}")))
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", index)))
		ok(t, d.Commit(ctx, []byte("1")))
	}
	run()
	want := tree(t, dir)
	replace := func(name, content string) {
		ok(t, os.RemoveAll(filepath.Join(dir, name)))
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	for name, f := range want {
		if name == "." || name == ".gitignore" {
			continue
		}
		path := filepath.Join(dir, name)
		ok(t, os.RemoveAll(path))
		run()
		same(t, tree(t, dir), want)

		if f.mode.IsRegular() { // corrupted with its size kept
			content := must(os.ReadFile(path))
			content[len(content)/2] ^= 1
			replace(name, string(content))
			ok(t, os.Chmod(path, f.mode.Perm()))
			run()
			same(t, tree(t, dir), want)
		}

		if f.mode.IsRegular() { // a folder in the place of a file, or the reverse
			ok(t, os.RemoveAll(path))
			ok(t, os.MkdirAll(filepath.Join(path, "inside"), 0o755))
			replace(filepath.Join(name, "inside", "index.json"), "x")
		} else {
			replace(name, "x")
		}
		run()
		same(t, tree(t, dir), want)
	}
}

func TestOpenRefusesAFolderThatIsNotOurs(t *testing.T) {
	for name, files := range map[string][]string{
		"other files":        {"main.go"},
		"other ignore rules": {".gitignore"},
		"another tool's":     {"bin/tool"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range files {
				ok(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o755))
				ok(t, os.WriteFile(filepath.Join(dir, f), []byte("*.o\n"), 0o644))
			}
			before := tree(t, dir)
			_, err := publish.Open(context.Background(), dir, nil, filesum.Sums{})
			if err == nil || !strings.Contains(err.Error(), "not an output folder") {
				t.Errorf("error is %v", err)
			}
			same(t, tree(t, dir), before)
		})
	}
}

func TestOpenWithAFileInThePlace(t *testing.T) {
	parent := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(parent, "file"), nil, 0o644))
	before := tree(t, parent)
	for dir, want := range map[string]string{
		"file":      "file: a file has the path of the output folder; remove it, or choose another folder",
		"file/dist": "is not a writable folder",
	} {
		if _, err := publish.Open(context.Background(), filepath.Join(parent, dir), nil, filesum.Sums{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opening %s says %v, want %q", dir, err, want)
		}
	}
	same(t, tree(t, parent), before)
}

// A folder that is removed under a run gets nothing, and the next run a whole one.
func TestFolderRemovedMeanwhile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("nobody can remove an open lock there")
	}
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "dist")
	d := open(t, dir)
	ok(t, os.RemoveAll(dir))
	ok(t, d.Write("bin/x", []byte("1")))
	if err := d.Commit(ctx, []byte("1")); err == nil || !strings.Contains(err.Error(), "somebody removed the folder during the run; run it again") {
		t.Errorf("commit says %v", err)
	}
	ok(t, d.Close())
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}

	// Where another run has made it anew, that one's stage and lock stay.
	d = open(t, dir)
	ok(t, os.RemoveAll(dir))
	other := open(t, dir)
	ok(t, other.Write("bin/x", []byte("2")))
	if err := d.Commit(ctx, []byte("1")); err == nil {
		t.Error("committed to another run's folder")
	}
	ok(t, d.Close())
	ok(t, other.Commit(ctx, []byte("2")))
	holds(t, dir, ".gitignore", "bin/x", "manifest.json")
}

func TestOpenClearsWhatAKilledRunLeft(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for name, content := range map[string]string{".gitignore": "", ".lock": "", ".stage/bin/x": "half"} {
		ok(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		ok(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	d := open(t, dir)
	ok(t, d.Write("bin/y", []byte("whole")))
	ok(t, d.Commit(ctx, []byte("1")))
	holds(t, dir, ".gitignore", "bin/y", "manifest.json")
}

func TestStagingRefuses(t *testing.T) {
	ctx := context.Background()
	d := open(t, filepath.Join(t.TempDir(), "dist"))
	for _, rel := range []string{"", "bin", "bin/", "bin/../x", "../bin/x", "/bin/x", "manifest.json", "notes/x", ".stage/x", "bin//x"} {
		if err := d.Write(rel, nil); err == nil {
			t.Errorf("staged %q", rel)
		}
	}
	ok(t, d.Write("bin/a", nil))
	if err := d.Write("bin/a", nil); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("staging twice: %v", err)
	}
	folder := must(os.Open(t.TempDir()))
	defer folder.Close()
	if err := d.Copy(ctx, "bin/c", folder, ""); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("copying a folder: %v", err)
	}
	if err := d.Layout(ctx, "bin/api", named("api:v1", indexOf("x"))); err == nil {
		t.Error("staged a layout below bin")
	}
	if err := d.Layout(ctx, "oci/api", named("API:v1", indexOf("x"))); err == nil {
		t.Error("staged a layout with an illegal name")
	}
	ok(t, d.Close())
	if err := d.Write("bin/late", nil); err == nil {
		t.Error("staged into a closed folder")
	}
}

func TestRemove(t *testing.T) {
	ctx := context.Background()
	fill := func(t *testing.T, dir string) {
		d := open(t, dir)
		ok(t, d.Write("bin/api", nil))
		ok(t, d.Layout(ctx, "oci/api", named("api:v1", indexOf("x"))))
		ok(t, d.Commit(ctx, []byte("1")))
	}
	dir := filepath.Join(t.TempDir(), "dist")
	ok(t, publish.Remove(ctx, dir, nil)) // missing already
	fill(t, dir)
	ok(t, publish.Remove(ctx, dir, nil))
	if left := tree(t, dir); left != nil {
		t.Errorf("left: %v", left)
	}

	fill(t, dir)
	ok(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644))
	ok(t, publish.Remove(ctx, dir, nil))
	holds(t, dir, ".gitignore", "notes.txt")

	other := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(other, "main.go"), nil, 0o644))
	if err := publish.Remove(ctx, other, nil); err == nil {
		t.Error("removed a folder that is not an output folder")
	}
	holds(t, other, "main.go")
}

// A link to the output folder is as good as the folder.
func TestFolderBehindASymbolicLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows needs a privilege for symbolic links")
	}
	ctx := context.Background()
	parent, elsewhere := t.TempDir(), t.TempDir()
	dir := filepath.Join(parent, "dist")
	ok(t, os.Symlink(elsewhere, dir))
	d := open(t, dir)
	ok(t, d.Write("bin/api", nil))
	ok(t, d.Commit(ctx, []byte("1")))
	holds(t, elsewhere, ".gitignore", "bin/api", "manifest.json")

	ok(t, os.RemoveAll(elsewhere))
	if _, err := publish.Open(ctx, dir, nil, filesum.Sums{}); err == nil {
		t.Error("opened a link to nothing")
	}
}
