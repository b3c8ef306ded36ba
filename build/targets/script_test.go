package targets_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/goproxytest"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// tools is a folder with a program called mage: the targets, compiled from
// testdata/magefile.
var tools string

// cache is the cache folder of all scripts, as a user has one for all repositories.
var cache string

func TestMain(m *testing.M) {
	program, err := testtool.Targets(context.Background(), filepath.Join("..", ".."))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tools = filepath.Dir(program)
	if cache, err = os.MkdirTemp("", "thimble-cache-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(cache); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func exe(path string) string {
	if runtime.GOOS == "windows" {
		return path + ".exe"
	}
	return path
}

// TestScripts runs what a user types. A script begins with "module NAME", which
// makes a git repository of a copy of testdata/modules/NAME with one commit, and
// goes there; "files NAME" does not make a repository.
func TestScripts(t *testing.T) {
	modules, err := filepath.Abs(filepath.Join("..", "..", "testdata", "modules"))
	if err != nil {
		t.Fatal(err)
	}
	params := testscript.Params{
		Dir:       filepath.Join("testdata", "script"),
		Condition: func(name string) (bool, error) { return condition(t, name) },
		Setup:     setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"module": func(ts *testscript.TestScript, neg bool, args []string) {
				copyModule(ts, modules, args)
				commit(ts)
			},
			"files":        func(ts *testscript.TestScript, neg bool, args []string) { copyModule(ts, modules, args) },
			"commit":       func(ts *testscript.TestScript, neg bool, args []string) { commit(ts) },
			"loopback":     loopback,
			"private":      private,
			"memory-group": memoryGroup,
		},
	}
	if testing.Short() { // one image, and one release
		params.Dir, params.Files = "", []string{filepath.Join("testdata", "script", "hello.txtar"), filepath.Join("testdata", "script", "release.txtar")}
	}
	maps.Copy(params.Cmds, registryCommands(t))
	goproxytest.Setup(&params) // GOPROXY serves a script's folder .gomodproxy
	testscript.Run(t, params)
}

// condition reports whether a script may use [network-namespace], [docker-registry],
// [strace], [c-compiler], [debian-mirror] or [memory-group]: programs, rights and servers,
// which are used on request, as [minutes] are. What is missing then is an error.
func condition(t *testing.T, name string) (bool, error) {
	if !testtool.Part(t, name) {
		return false, nil
	}
	var probe []string
	switch name {
	case "minutes":
		return true, nil
	case "debian-mirror":
		if _, ok := debiantest.Find(); !ok {
			return false, errors.New("apt is not set up here to read Debian's archive from a mirror")
		}
		return true, nil
	case "memory-group":
		dir, err := newMemoryGroup(1 << 30)
		if err == nil {
			err = os.Remove(dir)
		}
		return err == nil, err
	case "network-namespace":
		probe = []string{"unshare", "-n", "ip", "link", "set", "lo", "up"}
	case "docker-registry":
		probe = []string{"docker-registry", "help"}
	case "strace":
		probe = []string{"strace", "-o", os.DevNull, "true"}
	case "c-compiler": // for linux/amd64
		probe = []string{"sh", "-c", "gcc -dumpmachine | grep '^x86_64-.*linux'"}
	default:
		return false, fmt.Errorf("unknown condition %q", name)
	}
	_, err := testtool.Output("", nil, probe[0], probe[1:]...)
	return err == nil, err
}

var internetAddress = regexp.MustCompile(`sa_family=AF_INET6?,.*?(?:inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)")`)

// loopback reads a trace of strace's and wants no address in it but this machine's.
func loopback(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: loopback FILE")
	}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if m := internetAddress.FindStringSubmatch(line); m != nil && !net.ParseIP(m[1]+m[2]).IsLoopback() {
			ts.Fatalf("a connection leaves this machine: %s", line)
		}
	}
}

// environment is what the go command and git must have in every test: this
// machine's caches, and nobody's settings.
func environment() []string {
	out, err := testtool.Output("", nil, "go", "env", "GOCACHE", "GOMODCACHE", "GOPROXY")
	if err != nil {
		panic(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return []string{
		"GOCACHE=" + lines[0], "GOMODCACHE=" + lines[1], "GOPROXY=" + lines[2],
		"GOENV=off", "GOFLAGS=", "GOWORK=", "GOTOOLCHAIN=local", "SOURCE_DATE_EPOCH=",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com",
		"GIT_AUTHOR_DATE=2026-02-03T04:05:06Z", "GIT_COMMITTER_DATE=2026-02-03T04:05:06Z",
	}
}

func setup(env *testscript.Env) error {
	env.Vars = append(env.Vars, environment()...)
	env.Vars = append(env.Vars, "XDG_CACHE_HOME="+cache, "PATH="+tools+string(filepath.ListSeparator)+os.Getenv("PATH"))
	for name, program := range map[string]string{"GO": "go", "GIT": "git"} { // for a PATH with nothing else
		path, err := exec.LookPath(program)
		if err != nil {
			return err
		}
		env.Vars = append(env.Vars, name+"="+path)
	}
	if mirror, ok := debiantest.Find(); ok {
		env.Vars = append(env.Vars, "DEBIAN_MIRROR="+mirror)
	}
	env.Vars = append(env.Vars, "MAGE="+exe(filepath.Join(tools, "mage")))
	return nil
}

func copyModule(ts *testscript.TestScript, modules string, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: module NAME")
	}
	dir := ts.MkAbs("repo")
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(modules, args[0]))))
	if ignore := filepath.Join(dir, "gitignore"); exists(ignore) {
		ts.Check(os.Rename(ignore, filepath.Join(dir, ".gitignore")))
	}
	ts.Check(ts.Chdir("repo"))
}

func commit(ts *testscript.TestScript) {
	ts.Check(ts.Exec("git", "init", "-q", "-b", "main"))
	ts.Check(ts.Exec("git", "add", "-A"))
	ts.Check(ts.Exec("git", "commit", "-q", "-m", "a commit"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
