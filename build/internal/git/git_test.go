package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
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

		"ssh://git@ssh.github.com:443/acme/app.git":                  "https://github.com/acme/app",
		"git@ssh.github.com:acme/app.git":                            "https://github.com/acme/app",
		"ssh://git@altssh.gitlab.com:443/acme/app.git":               "https://gitlab.com/acme/app",
		"git@ssh.dev.azure.com:v3/org/project/repo":                  "https://dev.azure.com/org/project/_git/repo",
		"ssh://git@ssh.dev.azure.com/v3/org/My%20Project/repo":       "https://dev.azure.com/org/My%20Project/_git/repo",
		"git@ssh.dev.azure.com:v3/org/My%20Project/repo":             "https://dev.azure.com/org/My%20Project/_git/repo",
		"org@vs-ssh.visualstudio.com:v3/org/project/repo":            "https://dev.azure.com/org/project/_git/repo",
		"git@ssh.dev.azure.com:org/repo":                             "",
		"https://org@dev.azure.com/org/project/_git/repo":            "https://dev.azure.com/org/project/_git/repo",
		"https://org.visualstudio.com/DefaultCollection/p/_git/repo": "https://org.visualstudio.com/DefaultCollection/p/_git/repo",

		"ssh://git@[2001:db8::1]:22/acme/app.git": "https://[2001:db8::1]/acme/app",
		"ssh://[2001:db8::1]/acme/app.git":        "https://[2001:db8::1]/acme/app",
		"git@[2001:db8::1]:acme/app.git":          "https://[2001:db8::1]/acme/app",
		"[2001:db8::1]:acme/app.git":              "https://[2001:db8::1]/acme/app",
		"[git@git.acme.dev:2222]:acme/app.git":    "https://git.acme.dev/acme/app",
		"https://[2001:db8::1]:8443/acme/app.git": "https://[2001:db8::1]:8443/acme/app",
		"ssh://git@[fe80::1%25eth0]/acme/app.git": "",
		"ssh://git@192.0.2.7:2222/acme/app.git":   "https://192.0.2.7/acme/app",

		"git@GitHub.com:acme/app.git":        "https://github.com/acme/app",
		"git@github.com:/acme/app.git":       "https://github.com/acme/app",
		"git://git.acme.dev:9418/app.git":    "https://git.acme.dev/app",
		"git+ssh://git@git.acme.dev/app":     "https://git.acme.dev/app",
		"git@git.xn--p1ai:acme/app":          "https://git.xn--p1ai/acme/app",
		"http://gitea:3000/acme/app":         "http://gitea:3000/acme/app",
		"gh:acme/app":                        "",
		"git@github-work:acme/app.git":       "",
		"git@github.com-work:acme/app.git":   "",
		"ssh://git@github.com-work/acme/app": "",
		"me@git.acme.dev:~me/app.git":        "",
		"ssh://me@git.acme.dev/~me/app.git":  "",
		"ssh://-oProxyCommand=date/app.git":  "",
		"ext::sh -c date":                    "",
		"codecommit::eu-west-1://app":        "",
		"file://server/share/app.git":        "",
		`\\server\share\app.git`:             "",
		"c:src/app":                          "",
	} {
		if got := WebURL(remote); got != want {
			t.Errorf("WebURL(%q) = %q, want %q", remote, got, want)
		}
	}
}

func TestChanged(t *testing.T) {
	status := []byte(" M a b.go\x00R  new.go\x00old.go\x00?? x/y\x00!! gen/z\x00")
	if got, want := changed(status), []string{"a b.go", "new.go", "x/y", "gen/z"}; !slices.Equal(got, want) {
		t.Errorf("changed = %q, want %q", got, want)
	}
	if got := changed(nil); got != nil {
		t.Errorf("changed of nothing = %q", got)
	}
}

// What only this machine knows is asked of its configuration, by the way that git fetches.
func TestSource(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	// ssh takes the home of the password file, so that its configuration is given here.
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	ssh, err := exec.LookPath("ssh")
	testtool.Require(t, err == nil, "ssh")
	write(filepath.Join(dir, "ssh_config"), "Host work\n  HostName github.com\nHost github.com-work\n  HostName github.com\nHost six\n  HostName 2001:db8::1\nHost port\n  HostName ssh.github.com\n  Port 443\n", 0o600)
	write(filepath.Join(dir, "bin", "ssh"), "#!/bin/sh\nexec "+ssh+" -F "+filepath.Join(dir, "ssh_config")+" \"$@\"\n", 0o755)
	write(filepath.Join(dir, "gitconfig"), "[url \"https://github.com/\"]\n\tinsteadOf = gh:\n[url \"git@work:\"]\n\tinsteadOf = w:\n"+
		"[url \"https://cache.example.com/\"]\n\tinsteadOf = https://github.com/\n[url \"https://push.example.com/\"]\n\tpushInsteadOf = gh:\n", 0o600)
	t.Setenv("PATH", filepath.Join(dir, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	env := append(os.Environ(), "HOME="+home, "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1")
	for want, urls := range map[string][]string{
		"https://github.com/acme/app":    {"git@github.com:acme/app.git", "git@gitlab.example.com:mirror/app.git"},
		"https://github.com/acme/gh":     {"gh:acme/gh"},
		"https://github.com/acme/alias":  {"git@work:acme/alias.git"},
		"https://github.com/acme/dotted": {"git@github.com-work:acme/dotted.git"},
		"https://github.com/acme/both":   {"w:acme/both.git"},
		"https://[2001:db8::1]/acme/six": {"six:acme/six"},
		"https://github.com/acme/port":   {"ssh://port/acme/port.git"},
		"https://github.com/as/written":  {"https://github.com/as/written.git"},
		"":                               {"nobody:acme/app.git"},
	} {
		repo := t.TempDir()
		git := func(args ...string) {
			t.Helper()
			cmd := testtool.Command(t, "git", args...)
			cmd.Dir, cmd.Env = repo, env
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %q: %v\n%s", args, err, out)
			}
		}
		git("init", "-q")
		for _, u := range urls {
			git("config", "--add", "remote.origin.url", u)
		}
		git("config", "remote.origin.pushurl", "git@push.example.com:acme/app.git")
		r, err := Open(repo, env)
		if err != nil {
			t.Fatal(err)
		}
		state, err := r.State(t.Context())
		if err != nil || state.Remote != want {
			t.Errorf("%q: %q, %v; want %q", urls, state.Remote, err, want)
		}
	}
}
