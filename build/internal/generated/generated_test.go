package generated

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/source"
)

// What was made and cannot be listed by its hash stays a difference.
func TestSplit(t *testing.T) {
	root := t.TempDir()
	file, folder, before := filepath.Join(root, "made.go"), filepath.Join(root, "empty"), filepath.Join(root, "before.go")
	for _, name := range []string{file, before} {
		if err := os.WriteFile(name, []byte("made"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	all := []source.Difference{
		{File: "before.go", Kind: source.Untracked, Path: before}, {File: "empty", Kind: source.Untracked, Path: folder},
		{File: "gone.go", Kind: source.Untracked, Path: filepath.Join(root, "gone.go")}, {File: "made.go", Kind: source.Untracked, Path: file},
		{File: "main.go", Kind: source.Changed, Path: filepath.Join(root, "main.go")},
	}
	rest, made, record := Standing{before: true}.Split(all)
	var left []string
	for _, d := range rest {
		left = append(left, d.File)
	}
	if want := []string{"before.go", "empty", "gone.go", "main.go"}; !slices.Equal(left, want) {
		t.Errorf("the differences are %q, want %q", left, want)
	}
	if len(made) != 1 || made[0].Name != "made.go" || len(record) != 1 || record[file] != made[0].SHA256 {
		t.Errorf("made are %v, %v", made, record)
	}
}

// TestRemoveLeavesWhatOthersWrote has every file that must stay.
func TestRemoveLeavesWhatOthersWrote(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(top, "repo")
	write := func(name, content string) string {
		t.Helper()
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	r := Record{}
	note := func(file string) string {
		t.Helper()
		if r[file], err = Sum(file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	made := note(write("gen/made.go", "made"))
	edited := note(write("gen/edited.go", "made"))
	write("gen/edited.go", "edited")
	tracked := note(write("tracked.go", "made"))
	outside := note(write("../outside.go", "made"))
	other := write("other.go", "made")
	note(write("../elsewhere/x.go", "made"))
	if err := os.Symlink("../elsewhere", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	r[filepath.Join(root, "link", "x.go")] = r[filepath.Join(top, "elsewhere", "x.go")]
	delete(r, filepath.Join(top, "elsewhere", "x.go"))
	r[filepath.Join(root, "gone.go")] = r[made]
	turned := write("turned.go", "made")
	note(turned)
	if err := os.Remove(turned); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other.go", turned); err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(top, "cache", "record.json")
	if err := (Record{made: r[made]}).Write(file, r); err != nil {
		t.Fatal(err)
	}
	kept := ReadRecord(file)
	if len(kept) != 4 || kept[made] != r[made] || kept[edited] != "" || kept[tracked] == "" {
		t.Errorf("the record has %v", kept)
	}
	standing, err := List(t.Context(), root, "", kept)
	if err != nil || standing.Made(edited) || !standing.Made(made) || standing.Made(other) || !standing.Made(filepath.Join(root, "new.go")) {
		t.Errorf("standing: %v, %v", standing, err)
	}
	if Standing(nil).Made(made) {
		t.Error("without commands something was made")
	}
	removed, err := r.Remove(root, map[string]bool{tracked: true})
	if err != nil || !slices.Equal(removed, []string{made}) {
		t.Errorf("removed %q, %v", removed, err)
	}
	for _, file := range []string{edited, tracked, outside, other, filepath.Join(top, "elsewhere", "x.go"), turned} {
		if _, err := os.Lstat(file); err != nil {
			t.Error(err)
		}
	}
}
