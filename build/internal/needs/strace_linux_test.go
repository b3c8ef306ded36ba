package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// Where the files of each need are on a full system; more places than an image
// has them in.
var places = map[string][]string{
	plan.NeedCACertificates: {"/etc/ssl/", "/etc/pki/", "/usr/share/ca-certificates/", "/usr/local/share/ca-certificates/", "/usr/local/share/certs"},
	plan.NeedMIMETypes:      {"/etc/mime.types", "/usr/share/mime/", "/usr/local/share/mime/", "/etc/apache2/mime.types", "/etc/apache/mime.types", "/etc/httpd/conf/mime.types"},
	plan.NeedServices:       {"/etc/services", "/etc/protocols"},
	plan.NeedTmp:            {"/tmp"},
	plan.NeedUsers:          {"/etc/passwd", "/etc/group"},
	plan.NeedZoneinfo:       {"/usr/share/zoneinfo/", "/usr/share/lib/zoneinfo/", "/usr/lib/locale/TZ/", "/etc/zoneinfo"},
}

// provided are the places that no need has to give: the container runtime
// mounts or writes the first ones; and Go does without the last two what it does
// with those of a fresh system: no nsswitch.conf means files, then DNS (net/conf.go),
// and no localtime means UTC, which is the time of a container.
var provided = []string{
	"/proc/", "/sys/", "/dev/", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
	"/etc/nsswitch.conf", "/etc/localtime",
}

// Run on this full system, no program opens a file that exists and that its
// report does not give; and each opens a file of the need that it is for, so
// that the test sees what it should.
func TestNoOpenedFileIsMissing(t *testing.T) {
	requireStrace(t)
	traced := 0
	for _, a := range answers {
		t.Run(a.program, func(t *testing.T) {
			binary := filepath.Join(built(t), a.program)
			trace := newTrace(t, binary)
			if out, err := trace.cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			used := trace.check(t, scanFile(t, binary))
			if a.changes != "" && !used[a.changes] {
				t.Errorf("it opened nothing of %s, but %v", a.changes, trace.opened(t))
			}
			traced++
		})
	}
	if traced < 10 {
		t.Errorf("only %d programs were traced", traced)
	}
}

// The check itself can fail: a program that opens a file of a need that its
// report does not have is told so.
func TestMissingFileIsNoticed(t *testing.T) {
	for _, c := range []struct {
		line string
		want string
	}{
		{`openat(AT_FDCWD</>, "/etc/services", O_RDONLY|O_CLOEXEC) = 3</etc/services>`, "/etc/services"},
		{`newfstatat(AT_FDCWD</repo>, "go.mod", {st_mode=S_IFREG|0644, ...}, 0) = 0`, "/repo/go.mod"},
		{`openat(7</usr/share>, "doc", O_RDONLY|O_CLOEXEC) = 8</usr/share/doc>`, "/usr/share/doc"},
		{`readlinkat(AT_FDCWD</>, "/etc/localtime", "/usr/share/zoneinfo/Etc/UTC", 128) = 27`, "/etc/localtime"},
		{`mkdirat(AT_FDCWD</>, "/var/x", 0700) = 0`, "/var/x"},
		{`openat(AT_FDCWD</>, "/etc/services", O_RDONLY) = -1 ENOENT (No such file or directory)`, ""},
		{`+++ exited with 0 +++`, ""},
	} {
		if got := openedPath(c.line); got != c.want {
			t.Errorf("%s: got %q, want %q", c.line, got, c.want)
		}
	}
	var trace trace
	report := Report{Needs: []plan.Need{{Name: plan.NeedTmp}}}
	for path, want := range map[string]string{
		"/tmp": plan.NeedTmp, "/tmp/a": plan.NeedTmp, "/tmpfile": "", "/etc/services": "", "/etc/passwd-": "", "/opt/x": "",
	} {
		if got, ok := trace.classify(report, path); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", path, got, ok)
		}
	}
	if name, ok := trace.classify(report, "/etc/localtime"); name != "" || !ok {
		t.Error("what the runtime provides is taken for missing")
	}
}

func requireStrace(t *testing.T) {
	t.Helper()
	testtool.Program(t, "strace")
	for file, from := range map[string]string{
		"/etc/ssl/certs":                    "ca-certificates",
		"/usr/share/zoneinfo/Europe/Berlin": "tzdata",
		"/etc/services":                     "netbase",
		"/etc/protocols":                    "netbase",
		"/etc/mime.types":                   "media-types",
		"/etc/passwd":                       "base-passwd",
		"/etc/group":                        "base-passwd",
		"/tmp":                              "base-files",
		"/bin/echo":                         "coreutils",
	} {
		_, err := os.Stat(file)
		testtool.Require(t, err == nil, file+", which Debian has in "+from)
	}
}

// trace is a program under strace, with a home of its own.
type trace struct {
	cmd         *exec.Cmd
	binary, dir string
	home        string
	brought     string // a folder of the test's own, not of the system
}

func newTrace(t *testing.T, binary string, args ...string) trace {
	t.Helper()
	tr := trace{binary: binary, dir: t.TempDir(), home: t.TempDir()}
	arguments := []string{"-ff", "-y", "-e", "trace=file", "-o", filepath.Join(tr.dir, "log"), binary}
	tr.cmd = testtool.Command(t, "strace", append(arguments, args...)...)
	tr.cmd.Dir = "/"
	tr.cmd.Env = []string{"PATH=/bin", "HOME=" + tr.home}
	return tr
}

// opened returns the paths that exist and that the program looked at. What a
// program that it started looks at is not its own; to start one is "exec".
func (tr trace) opened(t *testing.T) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(tr.dir, "log.*"))
	if err != nil || len(logs) == 0 {
		t.Fatal("no log of strace", err)
	}
	var paths []string
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			path := openedPath(line)
			if strings.HasPrefix(line, "execve(") && path != "" && path != tr.binary {
				paths = append(paths, started)
				break
			}
			if path != "" && path != tr.binary && path != "/" && !within(path, tr.brought) {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

const started = "(started a program)"

// check fails the test for each path that no need of the report gives, and
// returns which needs were used.
func (tr trace) check(t *testing.T, report Report) map[string]bool {
	t.Helper()
	used := make(map[string]bool)
	for _, path := range tr.opened(t) {
		name, ok := tr.classify(report, path)
		if !ok {
			t.Errorf("it opens %s, which none of %v gives", path, report.Needs)
		}
		used[name] = true
	}
	return used
}

// classify returns the report's need that gives the path, or "" for what the
// runtime provides; false if nothing gives it.
func (tr trace) classify(report Report, path string) (need string, ok bool) {
	if slices.ContainsFunc(provided, func(place string) bool { return path+"/" == place || within(path, place) }) {
		return "", true
	}
	for _, n := range report.Needs {
		switch {
		case n.Name == plan.NeedExec && path == started:
			return n.Name, true
		case n.Name == plan.NeedHome && within(path, tr.home):
			return n.Name, true
		case slices.ContainsFunc(places[n.Name], func(place string) bool { return within(path, place) }):
			return n.Name, !within(path, tr.home)
		}
	}
	return "", false
}

func within(path, place string) bool {
	if place == "" {
		return false
	}
	return path == place || strings.HasPrefix(path, strings.TrimSuffix(place, "/")+"/")
}

// A successful call of strace -y: its first path, with the folder that a
// relative one is relative to.
var call = regexp.MustCompile(`^\w+\((?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)".* = \d+`)

func openedPath(line string) string {
	m := call.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	if filepath.IsAbs(m[2]) {
		return filepath.Clean(m[2])
	}
	return filepath.Join(m[1], m[2])
}
