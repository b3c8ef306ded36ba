package docs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// world is where a page is read: a home folder, a folder to work in, and a registry on
// loopback that stands in for those that pages name.
type world struct {
	t    *testing.T
	base string // of everything; all pages use one, so that the magefile stays compiled
	env  []string
	// stands are the addresses on loopback that stand in for those of the pages.
	stands []stand
	host   string // of the registry
}

// stand is an address on loopback that stands in for one of the pages.
type stand struct{ page, actual string }

// kit is where a page clones thimble from, which is a copy of this very tree.
const kit = "https://github.com/thimble-build/thimble"

// acme is where the repositories of testdata are, for whoever clones them.
const acme = "https://github.com/acme/"

// newBase makes what all pages share: caches, tools, a repository with this tree, and a
// module proxy that has it as the latest version.
func newBase(t *testing.T) string {
	base, err := filepath.EvalSymlinks(t.TempDir())
	ok(t, err)
	t.Cleanup(func() { removable(t, base) })
	for _, dir := range []string{"home", "tools", "state", "kit", "tmp"} {
		ok(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	cmd := testtool.Command(t, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	list, err := cmd.Output()
	ok(t, err)
	pristine := filepath.Join(base, "kit")
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		to := filepath.Join(pristine, name)
		ok(t, os.MkdirAll(filepath.Dir(to), 0o755))
		err := copyFile(filepath.Join(root, name), to)
		if !errors.Is(err, os.ErrNotExist) { // one that was removed and not yet committed
			ok(t, err)
		}
	}
	commit(t, base, pristine)
	publish(t, base, pristine)
	ok(t, os.WriteFile(filepath.Join(base, "gitconfig"), fmt.Appendf(nil, "[url %q]\n\tinsteadOf = %s\n[url %q]\n\tinsteadOf = %s\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
		pristine, kit, filepath.Join(base, "src")+"/", acme), 0o644))
	// the launcher, as README.md has it built
	build := testtool.Command(t, "go", "build", "-o", filepath.Join(base, "tools", "mage"), filepath.Join("build", "init", "launcher", "mage.go"))
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the launcher: %v\n%s", err, out)
	}
	return base
}

// publish puts a commit of the kit into a module proxy in the file system. Its version is
// the commit's, so that nothing stale is taken from the module cache, and leaves the cache
// when the test ends.
func publish(t *testing.T, base, dir string) {
	cmd := testtool.Command(t, "git", "rev-parse", "--short=12", "HEAD")
	cmd.Dir = dir
	revision, err := cmd.Output()
	ok(t, err)
	const path = "github.com/thimble-build/thimble"
	version := module.Version{Path: path, Version: "v0.0.0-20260203040506-" + strings.TrimSpace(string(revision))}
	at := filepath.Join(base, "proxy", path, "@v")
	ok(t, os.MkdirAll(at, 0o755))
	info := fmt.Appendf(nil, `{"Version": %q, "Time": "2026-02-03T04:05:06Z"}`, version.Version)
	ok(t, os.WriteFile(filepath.Join(at, "list"), nil, 0o644))
	ok(t, os.WriteFile(filepath.Join(filepath.Dir(at), "@latest"), info, 0o644))
	ok(t, os.WriteFile(filepath.Join(at, version.Version+".info"), info, 0o644))
	ok(t, copyFile(filepath.Join(dir, "go.mod"), filepath.Join(at, version.Version+".mod")))
	f, err := os.Create(filepath.Join(at, version.Version+".zip"))
	ok(t, err)
	ok(t, errors.Join(zip.CreateFromDir(f, version, dir), f.Close()))
	t.Cleanup(func() {
		cache := settings()["GOMODCACHE"]
		left, err := filepath.Glob(filepath.Join(cache, "cache", "download", path, "@v", version.Version+".*"))
		ok(t, err)
		for _, name := range left {
			ok(t, os.Remove(name))
		}
		extracted := filepath.Join(cache, path+"@"+version.Version)
		removable(t, extracted)
		ok(t, os.RemoveAll(extracted))
	})
}

// removable makes folders writable, for those of a module cache are not.
func removable(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(name, 0o755)
		}
		return err
	})
	if !errors.Is(err, os.ErrNotExist) {
		ok(t, err)
	}
}

func copyFile(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// commit makes a repository of a folder.
func commit(t *testing.T, base, dir string) {
	t.Helper()
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "a commit"}} {
		git(t, base, dir, args...)
	}
}

func git(t *testing.T, base, dir string, args ...string) {
	t.Helper()
	cmd := testtool.Command(t, "git", args...)
	cmd.Dir, cmd.Env = dir, append(environment(base), "PATH="+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// settings are what the go command must know of this machine.
var settings = sync.OnceValue(func() (found map[string]string) {
	out, err := testtool.Output("", nil, "go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB")
	if err == nil {
		err = json.Unmarshal([]byte(out), &found)
	}
	if err != nil {
		panic(err)
	}
	return found
})

// environment is that of a new user on this machine: the go command's caches, and nobody's
// settings.
func environment(base string) []string {
	env := []string{
		"HOME=" + filepath.Join(base, "home"), "TMPDIR=" + filepath.Join(base, "tmp"), "XDG_CACHE_HOME=" + filepath.Join(base, "cache"), "MAGEFILE_CACHE=" + filepath.Join(base, "mage"),
		"DOCKER_CONFIG=" + filepath.Join(base, "home", ".docker"), "GIT_CONFIG_GLOBAL=" + filepath.Join(base, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=2026-02-03T04:05:06Z", "GIT_COMMITTER_DATE=2026-02-03T04:05:06Z",
		"GOENV=off", "GOTOOLCHAIN=local", "LANG=C.UTF-8", "TZ=UTC", "TERM=dumb",
	}
	for name, value := range settings() {
		switch name {
		case "GOPROXY":
			value = "file://" + filepath.Join(base, "proxy") + "," + value
		case "GONOSUMDB":
			value = strings.TrimPrefix(value+",github.com/thimble-build", ",")
		}
		env = append(env, name+"="+value)
	}
	for _, name := range []string{"DOCKER_HOST", "HTTPS_PROXY", "SSL_CERT_FILE"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// enter makes the world of one page.
func enter(t *testing.T, base string) *world {
	w := &world{t: t, base: base}
	for _, dir := range []string{"src", "home"} {
		ok(t, os.RemoveAll(filepath.Join(base, dir)))
		ok(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	serve := func(h http.Handler) string {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.Start()
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	w.host = serve(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	w.stands = []stand{
		{"ghcr.io", w.host}, {"registry.example.com", w.host},
		{"private.example.com", serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="private"`)
			w.WriteHeader(http.StatusUnauthorized)
		}))},
		{"127.0.0.1:8080", free(t)}, {"127.0.0.1:40000", free(t)},
	}
	w.env = append(environment(base), "PATH="+filepath.Join(base, "tools")+":"+os.Getenv("PATH"), "STATE="+filepath.Join(base, "state"))
	ok(t, os.WriteFile(filepath.Join(base, "state", "env"), nil, 0o644))
	return w
}

// prepare types what needs no showing.
func (w *world) prepare(commands []string) {
	w.t.Helper()
	for _, command := range commands {
		if output, status := w.run(w.t.Context(), command); status != 0 {
			w.t.Fatalf("$ %s\nexit status %d\n%s", command, status, output)
		}
	}
}

// free is an address where nothing listens yet.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	ok(t, l.Close())
	return l.Addr().String()
}

// actual has the addresses on loopback in place of those of the pages, page the other way
// round.
func (w *world) actual(text string) string {
	for _, s := range w.stands {
		text = strings.ReplaceAll(text, s.page, s.actual)
	}
	return text
}

func (w *world) page(text string) string {
	for _, s := range w.stands {
		text = strings.ReplaceAll(text, s.actual, s.page)
	}
	return text
}

// goTo brings the reader to a fresh clone of thimble, to an empty folder (.), or to the
// repository that an archive of testdata holds.
func (w *world) goTo(fixture string) {
	dir := filepath.Join(w.base, "src", fixture)
	switch fixture {
	case "thimble":
		git(w.t, w.base, w.base, "clone", "-q", kit, dir)
	case ".":
	default:
		archive, err := txtar.ParseFile(filepath.Join("testdata", fixture+".txtar"))
		ok(w.t, err)
		ok(w.t, txtar.Write(archive, dir))
		commit(w.t, w.base, dir)
		git(w.t, w.base, dir, "remote", "add", "origin", acme+fixture)
	}
	ok(w.t, os.WriteFile(filepath.Join(w.base, "state", "dir"), []byte(dir), 0o644))
}

// tools are the stock programs that pages call and that testtool builds.
var tools = map[string]struct{ pkg, version string }{
	"actionlint": {"github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12"},
	"cosign":     {"github.com/sigstore/cosign/v2/cmd/cosign", "v2.6.5"},
	"crane":      {"github.com/google/go-containerregistry/cmd/crane", "v0.21.7"},
}

// need makes the programs that a command calls available.
func (w *world) need(command string) {
	for name, tool := range tools {
		link := filepath.Join(w.base, "tools", name)
		if _, err := os.Lstat(link); err == nil || !calls(command, name) && !(name == "cosign" && strings.Contains(command, "verify.sh")) {
			continue
		}
		file, err := testtool.Build(tool.pkg, tool.version, "")
		ok(w.t, err)
		ok(w.t, os.Symlink(file, link))
	}
	for _, name := range []string{"docker", "skopeo", "podman", "curl"} {
		if calls(command, name) {
			testtool.Program(w.t, name)
		}
	}
	if calls(command, "reproduce") {
		testtool.Program(w.t, "faketime") // for the clean room
	}
	if calls(command, "docker") || strings.Contains(command, "-load") {
		testtool.Docker(w.t)
	}
}

func calls(command, name string) bool {
	for word := range strings.FieldsFuncSeq(command, func(r rune) bool { return strings.ContainsRune(" \n;|&()$`", r) }) {
		if word == name {
			return true
		}
	}
	return false
}

// shell types one command where the last one has left the reader: in the same folder,
// with the same exported variables.
const shell = `cd "$(cat "$STATE/dir")" && . "$STATE/env"
set -o pipefail
eval "$1"
status=$?
export -p >"$STATE/env"
pwd >"$STATE/dir"
exit $status`

// run types a command and gives what a terminal would show.
func (w *world) run(ctx context.Context, command string) (output string, status int) {
	// A stranger's source is fetched without the user's configuration, so not from here.
	command = rebuilt.ReplaceAllString(w.actual(command), "$0 -mirror="+filepath.Join(w.base, "src")+"/$1")
	w.need(command)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", shell, "bash", command)
	cmd.Dir, cmd.Env = w.base, w.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// a file: what a command leaves in the background must not be waited for
	out, err := os.Create(filepath.Join(w.base, "state", "out"))
	ok(w.t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	ok(w.t, err)
	if ctx.Err() != nil {
		w.t.Fatalf("%s: %v\n%s", command, ctx.Err(), b)
	}
	output = strings.NewReplacer(
		" --allow-http-registry", "", // which only the one on loopback needs
		filepath.Join(w.base, "src"), "…",
	).Replace(w.page(string(b)))
	return output, cmd.ProcessState.ExitCode()
}

var (
	rebuilt  = regexp.MustCompile(`reproduce -from=\S+/([a-z-]+):\S+`)
	loadedAs = regexp.MustCompile(`(?m)^run it +docker run --rm (\S+)$`)
	started  = regexp.MustCompile(`(?m)^[0-9a-f]{64}$`)
)

// forget removes the containers and images that a page leaves in the engine, when the page
// ends.
func (w *world) forget(command, output string) {
	remove := func(images []string) {
		if len(images) > 0 {
			_, _ = testtool.Output("", nil, "docker", append([]string{"image", "rm", "-f"}, images...)...) // it may be gone
		}
	}
	if calls(command, "docker") && calls(command, "-d") {
		w.t.Cleanup(func() {
			for _, id := range started.FindAllString(output, -1) {
				_, _ = testtool.Output("", nil, "docker", "rm", "-f", id) // the page may have stopped it
			}
		})
	}
	w.t.Cleanup(func() {
		for _, m := range loadedAs.FindAllStringSubmatch(output, -1) {
			remove(m[1:])
		}
		pulled, err := testtool.Output("", nil, "docker", "image", "ls", "-q", "--filter", "reference="+w.host+"/*/*")
		if err == nil {
			remove(strings.Fields(pulled))
		}
	})
}

// write writes a file where the reader is.
func (w *world) write(name, content string) {
	content = w.actual(content)
	dir, err := os.ReadFile(filepath.Join(w.base, "state", "dir"))
	ok(w.t, err)
	file := filepath.Join(strings.TrimSpace(string(dir)), filepath.FromSlash(name))
	ok(w.t, os.MkdirAll(filepath.Dir(file), 0o755))
	ok(w.t, os.WriteFile(file, []byte(content), 0o644))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
