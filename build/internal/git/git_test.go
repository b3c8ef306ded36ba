package git

import (
	"slices"
	"testing"
)

func TestWebURL(t *testing.T) {
	for remote, want := range map[string]string{
		"git@github.com:acme/api.git":                    "https://github.com/acme/api",
		"github.com:acme/api":                            "https://github.com/acme/api",
		"ssh://git@git.acme.dev:2222/team/api.git":       "https://git.acme.dev/team/api",
		"https://user:secret@github.com/acme/api.git/":   "https://github.com/acme/api",
		"https://token@github.com/acme/api?private=yes#": "https://github.com/acme/api",
		"http://git.local:3000/acme/api":                 "http://git.local:3000/acme/api",
		"/srv/git/api.git":                               "",
		"../api":                                         "",
		"file:///srv/git/api.git":                        "",
		"C:/src/api":                                     "",
		"":                                               "",
	} {
		if got := WebURL(remote); got != want {
			t.Errorf("WebURL(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	status := []byte(" M a b.go\x00R  new.go\x00old.go\x00?? x/y\x00!! gen/z\x00")
	visible, all := changed(status, false)
	if want := []string{"a b.go", "new.go", "x/y"}; !slices.Equal(visible, want) {
		t.Errorf("visible = %q, want %q", visible, want)
	}
	if want := []string{"a b.go", "new.go", "x/y", "gen/z"}; !slices.Equal(all, want) {
		t.Errorf("all = %q, want %q", all, want)
	}
	if visible, _ := changed(status, true); !slices.Equal(visible, []string{"a b.go", "new.go"}) {
		t.Errorf("visible without untracked files = %q", visible)
	}
	if visible, all := changed(nil, false); visible != nil || all != nil {
		t.Errorf("changed of nothing = %q, %q", visible, all)
	}
}
