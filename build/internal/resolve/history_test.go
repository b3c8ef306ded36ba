package resolve

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
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

// What is new in a final version is new since the last final one.
func TestHistoryOfPrereleases(t *testing.T) {
	testtool.NotShort(t)
	r := newRepo(t, "hello").commit()
	for _, step := range []struct{ tag, previous, subjects string }{
		{"v1.0.0", "", "first"},
		{"v1.1.0-rc.1", "v1.0.0", "v1.1.0-rc.1"},
		{"v1.1.0-rc.2", "v1.1.0-rc.1", "v1.1.0-rc.2"},
		{"v1.1.0", "v1.0.0", "v1.1.0 v1.1.0-rc.2 v1.1.0-rc.1"},
		{"1.2.0-beta", "v1.1.0", "1.2.0-beta"},
		{"v1.2.0", "v1.1.0", "v1.2.0 1.2.0-beta"},
	} {
		if step.tag != "v1.0.0" {
			r.change("a.txt", step.tag)
		}
		r.git("tag", step.tag)
		if previous, subjects := r.history(plan.Config{}); previous != step.previous || strings.Join(subjects, " ") != step.subjects {
			t.Errorf("%s: since %q, %q", step.tag, previous, subjects)
		}
	}
	r.change("a.txt", "later")
	if previous, _ := r.history(plan.Config{}); previous != "v1.2.0" {
		t.Errorf("after the last tag: since %q", previous)
	}
}

// A tag that somebody means as a version, and that is none, is named with the reason.
func TestTagsThatAreNoVersions(t *testing.T) {
	for tag, why := range map[string]string{
		"v1.2.3": "", "1.2.3": "", "v1.2": "", "v1.2.3-rc.1": "", "stable": "", "latest-2": "", "other/2026.01.15": "", "2026": "",
		"2026.01.15":    "a number of a version does not begin with a zero",
		"v2026.1.05":    "a number of a version does not begin with a zero",
		"V1.2.3":        "the v of a version must be lower case",
		"release-1.2.3": "only a v is allowed before the numbers",
		"v1.2.3.4":      "a version has three numbers",
		"1.2.3_rc1":     "it does not have the form of a version",
		"v1.2.3-01":     "it does not have the form of a version",
	} {
		got := (tagRules{path: "example.com/x", dir: "."}).noVersion(tag)
		if why == "" && got != "" || !strings.HasPrefix(got, why) {
			t.Errorf("%s: %q, want %q", tag, got, why)
		}
	}
	r := newRepo(t, "hello").commit()
	r.git("tag", "2026.01.15")
	got := r.resolve(plan.Config{})
	if want := []string{"the tag 2026.01.15 is not the version: a number of a version does not begin with a zero (semver.org)"}; !slices.Equal(got.Notices, want) {
		t.Errorf("the notices are %q", got.Notices)
	}
	r.git("tag", "v1.0.0")
	if got := r.resolve(plan.Config{}); len(got.Notices) > 0 {
		t.Errorf("with a version's tag the notices are %q", got.Notices)
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
