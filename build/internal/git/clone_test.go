package git

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// served is a server of repositories that asks for a password, and remembers what it was
// told.
type served struct {
	*httptest.Server
	dir string

	mu      sync.Mutex
	headers []string
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{dir: t.TempDir()}
	files := http.FileServer(http.Dir(s.dir))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.headers = append(s.headers, r.Header.Get("Authorization"), r.Header.Get("X-Secret"))
		s.mu.Unlock()
		if user, password, _ := r.BasicAuth(); user != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// told says whether a request had a header with that value.
func (s *served) told(value string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.headers, value)
}

// asked is how many requests there were.
func (s *served) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.headers) / 2
}

// put serves a copy of a repository under a name.
func (s *served) put(t *testing.T, name, repo string) string {
	t.Helper()
	to := filepath.Join(s.dir, name)
	for _, args := range [][]string{{"clone", "-q", "--bare", repo, to}, {"-C", to, "update-server-info"}} {
		if out, err := testtool.Command(t, "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	return s.URL + "/" + name
}

// victim is a user with credentials, hooks and filters, each of which leaves a mark.
func victim(t *testing.T) (env []string, asked func() string, marks func() []string) {
	t.Helper()
	home := t.TempDir()
	log, marked := filepath.Join(home, "asked"), filepath.Join(home, "marks")
	write := func(name, content string) string {
		t.Helper()
		file := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	mark := func(name string) string { return "touch " + marked + "/" + name }
	write("marks/.keep", "")
	helper := write("helper", "#!/bin/sh\n[ \"$1\" = get ] || exit 0\ngrep ^host= >>"+log+"\necho username=me\necho password=secret\n")
	for _, dir := range []string{"hooks", "template/hooks"} {
		write(dir+"/post-checkout", "#!/bin/sh\n"+mark("hook")+"\n")
	}
	ask := write("askpass", "#!/bin/sh\n"+mark("askpass")+"\necho secret\n")
	config := write("gitconfig", "[credential]\n\thelper = "+helper+"\n[core]\n\thooksPath = "+filepath.Join(home, "hooks")+"\n\taskPass = "+ask+
		"\n\tfsmonitor = "+mark("fsmonitor")+"\n[init]\n\ttemplateDir = "+filepath.Join(home, "template")+
		"\n[filter \"mark\"]\n\tsmudge = "+mark("smudge")+" && cat\n\tclean = "+mark("clean")+" && cat\n\trequired = true\n"+
		"[http]\n\textraHeader = X-Secret: everybody's\n[protocol \"ext\"]\n\tallow = always\n[protocol \"file\"]\n\tallow = always\n[protocol]\n\tallow = always\n")
	write("attributes", "* filter=mark\n")
	env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "GIT_") }),
		"HOME="+home, "XDG_CONFIG_HOME="+home, "GIT_CONFIG_GLOBAL="+config, "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS="+ask, "GIT_TEMPLATE_DIR="+filepath.Join(home, "template"))
	asked = func() string {
		b, err := os.ReadFile(log)
		if err != nil {
			return ""
		}
		return string(b)
	}
	marks = func() (names []string) {
		entries, err := os.ReadDir(marked)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != ".keep" {
				names = append(names, e.Name())
			}
		}
		return names
	}
	return env, asked, marks
}

// A stranger's source gets the user's credentials for its own host, and nothing else of
// the user's: no other header, no hook, no filter.
func TestCloneOfStranger(t *testing.T) {
	testtool.NotShort(t)
	env, asked, marks := victim(t)
	server := serve(t)
	repo, git := testRepo(t)
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(repo, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", "-A", "-f")
		git("commit", "-q", "-m", name)
	}
	write(".gitattributes", "* filter=mark\n")
	commit := git("rev-parse", "HEAD")
	from := server.put(t, "app", repo)
	dir := t.TempDir()
	in := CloneInput{From: from, To: filepath.Join(dir, "fetched"), Commit: commit, Env: env, Stranger: true}
	if err := Clone(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.From, in.To, in.Copy, in.Origin = in.To, filepath.Join(dir, "copy"), true, from
	if err := Clone(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	if got := asked(); got == "" || strings.ReplaceAll(got, "host="+host+"\n", "") != "" {
		t.Errorf("the helper was asked for %q, want %s alone", got, host)
	}
	if server.told("everybody's") {
		t.Error("a header that is for no host was sent to the source's")
	}
	if got := marks(); len(got) > 0 {
		t.Errorf("%q ran", got)
	}
	// The same clone for its own user runs them, so that the marks are none that cannot be.
	if err := Clone(t.Context(), CloneInput{From: from, To: filepath.Join(dir, "own"), Commit: commit, Env: env}); err != nil {
		t.Fatal(err)
	}
	if got := marks(); !slices.Contains(got, "hook") || !slices.Contains(got, "smudge") {
		t.Errorf("for the user, only %q ran", got)
	}

	elsewhere := httptest.NewServer(http.RedirectHandler(from+"/info/refs", http.StatusFound))
	defer elsewhere.Close()
	if err := Clone(t.Context(), CloneInput{From: elsewhere.URL + "/x", To: filepath.Join(dir, "redirected"), Commit: commit, Env: env, Stranger: true}); err == nil {
		t.Error("another host redirects to one with the user's credentials")
	}
	for _, name := range []string{".hg/hgrc", "sub/.svn/wc.db", "a/b/.BZR/x", ".fslckout"} {
		write(name, "x")
		other := server.put(t, strings.ReplaceAll(name, "/", "-"), repo)
		err := Clone(t.Context(), CloneInput{From: other, To: filepath.Join(t.TempDir(), "x"), Commit: git("rev-parse", "HEAD"), Env: env, Stranger: true})
		if err == nil || !strings.Contains(err.Error(), "another version control system") {
			t.Errorf("%s: %v", name, err)
		}
		git("reset", "-q", "--hard", commit)
	}
}

// Submodules come from the source's host, or from where the user says so.
func TestSubmodulesOfStranger(t *testing.T) {
	testtool.OnRequest(t, "it makes and clones many repositories")
	env, _, marks := victim(t)
	server, other := serve(t), serve(t)
	inner, _ := testRepo(t)
	for _, s := range []*served{server, other} {
		s.put(t, "inner", inner)
	}
	mark := filepath.Join(t.TempDir(), "ran")
	for _, test := range []struct {
		name, url string
		any       bool
		refused   string
	}{
		{name: "relative", url: "../inner"},
		{name: "the same host", url: server.URL + "/inner"},
		{name: "another host", url: other.URL + "/inner", refused: "comes from another host"},
		{name: "another host, allowed", url: other.URL + "/inner", any: true},
		{name: "a folder", url: inner, any: true, refused: "only https, http and ssh URLs are allowed"},
		{name: "a file URL", url: "file://" + inner, any: true, refused: "only https, http and ssh URLs are allowed"},
		{name: "a program", url: "ext::sh -c touch% " + mark, any: true, refused: "only https, http and ssh URLs are allowed"},
		{name: "an option of ssh", url: "ssh://-oProxyCommand=touch/x", any: true, refused: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo, git := testRepo(t)
			if err := os.WriteFile(filepath.Join(repo, ".gitmodules"), []byte("[submodule \"lib\"]\n\tpath = lib\n\turl = "+test.url+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			head, err := testtool.Command(t, "git", "-C", inner, "rev-parse", "HEAD").Output()
			if err != nil {
				t.Fatal(err)
			}
			git("update-index", "--add", "--cacheinfo", "160000,"+strings.TrimSpace(string(head))+",lib")
			git("add", ".gitmodules")
			git("commit", "-q", "-m", "with a submodule")
			from := server.put(t, strings.ReplaceAll(test.name, " ", "-"), repo)
			dir := t.TempDir()
			in := CloneInput{From: from, To: filepath.Join(dir, "fetched"), Commit: git("rev-parse", "HEAD"), Env: env, Stranger: true, AnySubmodules: test.any}
			err = Clone(t.Context(), in)
			if _, ran := os.Stat(mark); ran == nil {
				t.Fatal("a program ran")
			}
			if test.refused != "" || strings.HasPrefix(test.url, "ssh://-") {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("error = %v, want it to say %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			in.From, in.To, in.Copy, in.Origin = in.To, filepath.Join(dir, "copy"), true, from
			server.CloseClientConnections()
			if err := Clone(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for _, clone := range []string{"fetched", "copy"} {
				if b, err := os.ReadFile(filepath.Join(dir, clone, "lib", "file")); err != nil || string(b) != "second" {
					t.Errorf("%s: %q, %v", clone, b, err)
				}
			}
		})
	}
	if got := marks(); len(got) > 0 {
		t.Errorf("%q ran", got)
	}
}

// A rewritten URL counts where it names the same host.
func TestRewritten(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "gitconfig")
	if err := os.WriteFile(config, []byte("[url \"git@git.acme.dev:\"]\n\tinsteadOf = https://git.acme.dev/\n[url \"https://github.com/\"]\n\tinsteadOf = https://evil.example.com/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "GIT_CONFIG_GLOBAL="+config, "GIT_CONFIG_NOSYSTEM=1")
	for from, want := range map[string]string{
		"https://git.acme.dev/team/app":     "git@git.acme.dev:team/app",
		"https://evil.example.com/acme/app": "https://evil.example.com/acme/app",
		"https://example.com/acme/app":      "https://example.com/acme/app",
	} {
		if _, got, err := strict(t.Context(), env, dir, from, false); err != nil || got != want {
			t.Errorf("%s becomes %q, %v; want %q", from, got, err, want)
		}
	}
}

// No submodule is fetched before all have been looked at, and a submodule's folder is no
// pattern of git's.
func TestSubmodulesNamedByPatterns(t *testing.T) {
	testtool.OnRequest(t, "it makes and clones many repositories")
	env, _, _ := victim(t)
	server, other := serve(t), serve(t)
	inner, innerGit := testRepo(t)
	for _, s := range []*served{server, other} {
		s.put(t, "inner", inner)
	}
	head := innerGit("rev-parse", "HEAD")
	for i, folder := range []string{":/lib", ":(glob)**", ":(top)", "*", "-f", "--recursive"} {
		t.Run(folder, func(t *testing.T) {
			for _, second := range []*served{server, other} {
				repo, git := testRepo(t)
				modules := "[submodule \"a\"]\n\tpath = " + folder + "\n\turl = " + server.URL + "/inner\n[submodule \"b\"]\n\tpath = lib\n\turl = " + second.URL + "/inner\n"
				if err := os.WriteFile(filepath.Join(repo, ".gitmodules"), []byte(modules), 0o644); err != nil {
					t.Fatal(err)
				}
				git("update-index", "--add", "--cacheinfo", "160000,"+head+","+folder, "--cacheinfo", "160000,"+head+",lib")
				git("add", ".gitmodules")
				git("commit", "-q", "-m", "with submodules")
				from := server.put(t, fmt.Sprintf("%d-%t", i, second == other), repo)
				to := filepath.Join(t.TempDir(), "fetched")
				err := Clone(t.Context(), CloneInput{From: from, To: to, Commit: git("rev-parse", "HEAD"), Env: env, Stranger: true})
				switch option := strings.HasPrefix(folder, "-"); { // which git itself refuses
				case second == other && !option && (err == nil || !strings.Contains(err.Error(), "comes from another host")):
					t.Errorf("from another host: %v", err)
				case second == other && err == nil, second == server && err != nil && !option:
					t.Error(err)
				}
			}
			if n := other.asked(); n != 0 {
				t.Errorf("the other host was asked %d times", n)
			}
		})
	}
}
