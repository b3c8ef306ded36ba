package resolve

import (
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// history resolves and returns the previous tag and the subjects since.
func (r *repo) history(cfg plan.Config) (string, []string) {
	r.t.Helper()
	previous, commits, err := r.resolve(cfg).History(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var subjects []string
	for _, c := range commits {
		if len(c.Hash) != 40 {
			r.t.Errorf("the hash is %q", c.Hash)
		}
		subjects = append(subjects, c.Subject)
	}
	return previous, subjects
}

func (r *repo) change(file, subject string) {
	r.t.Helper()
	r.write(file, subject)
	r.git("add", "-A", "-f")
	r.git("commit", "-q", "-m", subject+"\n\nand a body")
}

func TestHistory(t *testing.T) {
	r := newRepo(t, "hello").commit()
	if previous, subjects := r.history(plan.Config{}); previous != "" || !slices.Equal(subjects, []string{"first"}) {
		t.Errorf("before any tag: %q, %q", previous, subjects)
	}
	for _, tag := range []string{"v1.0.0", "v1.9.0", "v1.10.0", "stable", "other/v3.0.0"} {
		r.git("tag", tag)
	}
	r.change("a.txt", "second: a \"quoted\" one")
	r.change("b.txt", "third")
	r.git("tag", "v1.11.0")
	want := []string{"third", "second: a \"quoted\" one"}
	if previous, subjects := r.history(plan.Config{}); previous != "v1.10.0" || !slices.Equal(subjects, want) {
		t.Errorf("at a tag: %q, %q", previous, subjects)
	}
	r.change("c.txt", "fourth")
	if previous, subjects := r.history(plan.Config{}); previous != "v1.11.0" || !slices.Equal(subjects, []string{"fourth"}) {
		t.Errorf("after a tag: %q, %q", previous, subjects)
	}
}

// A module in a subfolder has tags and commits of its own.
func TestHistoryOfASubfolder(t *testing.T) {
	r := newRepo(t, "subfolder").commit()
	cfg := plan.Config{Dir: "service"}
	r.git("tag", "v5.0.0")
	r.git("tag", "service/v1.0.0")
	r.change("README", "another part")
	r.change("service/new.txt", "this part")
	if previous, subjects := r.history(cfg); previous != "service/v1.0.0" || !slices.Equal(subjects, []string{"this part"}) {
		t.Errorf("%q, %q", previous, subjects)
	}
}

func TestHistoryWithoutGit(t *testing.T) {
	if previous, subjects := newRepo(t, "hello").history(plan.Config{}); previous != "" || subjects != nil {
		t.Errorf("%q, %q", previous, subjects)
	}
}
