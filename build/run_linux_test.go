package build_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// runService says when it starts, and answers with a text of its source, an embedded file, an
// asset, and a variable.
const runService = `package main

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

//go:embed embedded.txt
var embedded string

func main() {
	fmt.Fprintln(os.Stderr, "started", time.Now().UnixMilli())
	if len(os.Args) > 1 {
		os.Exit(len(os.Args))
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asset, _ := os.ReadFile("/asset.txt")
			fmt.Fprintln(conn, "text", strings.TrimSpace(embedded), strings.TrimSpace(string(asset)),
				os.Getenv("LEVEL"), extra())
			conn.Close()
		}
	}()
	<-signals
	fmt.Println("bye")
}

func extra() string { return "" }
`

// runRepo is a repository with the service, and its Config.
func runRepo(t testing.TB) (string, build.Config) {
	t.Helper()
	repo := filepath.Join(t.TempDir(), "repo")
	for name, content := range map[string]string{
		"go.mod": "module example.com/served\n\ngo 1.26\n", "main.go": runService,
		"embedded.txt": "embedded\n", "asset.txt": "asset\n",
	} {
		save(t, filepath.Join(repo, name), content)
	}
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "a commit")
	return repo, build.Config{Defaults: build.ImageConfig{
		Assets:  []build.Asset{{Source: "asset.txt", Target: "/asset.txt"}},
		Runtime: build.Runtime{Ports: []string{"8080"}},
	}}
}

func save(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// output keeps what the service and the run say.
type output struct{ testtool.Buffer }

func (o *output) Start(string) func(string, error) { return func(string, error) {} }
func (o *output) Notice(text string)               { fmt.Fprintln(o, "note", text) }

// await waits until a text was said after the first from bytes.
func (o *output) await(t testing.TB, from int, text string) {
	t.Helper()
	for began := time.Now(); !strings.Contains(o.String()[from:], text); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("waited for %q in\n%s", text, o.String())
		}
	}
}

// running is a call of Run.
type running struct {
	*output
	port   int
	cancel context.CancelFunc
	ended  chan error
}

// start calls Run, on a free port.
func start(t testing.TB, o build.RunOptions) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{output: &output{}, port: freePort(t), cancel: cancel, ended: make(chan error, 1)}
	o.Ports = []string{fmt.Sprintf("%d:8080", r.port)}
	o.Progress, o.Stdout, o.Stderr = r.output, r.output, r.output
	t.Cleanup(cancel)
	go func() { r.ended <- build.Run(ctx, o) }()
	return r
}

// stop ends the context, and returns what Run returns.
func (r *running) stop(t testing.TB) error {
	t.Helper()
	r.cancel()
	return r.wait(t, 10*time.Second)
}

func (r *running) wait(t testing.TB, limit time.Duration) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(limit):
		t.Fatalf("Run did not return within %v\n%s", limit, r)
		return nil
	}
}

// ask returns the answer of the service.
func (r *running) ask(t testing.TB) string {
	t.Helper()
	for range 500 {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port)); err == nil {
			said, err := io.ReadAll(conn)
			conn.Close()
			if err == nil && len(said) > 0 {
				return string(said)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the service does not answer\n%s", r)
	return ""
}

// awaitAnswer waits until the answer contains a text.
func (r *running) awaitAnswer(t testing.TB, text string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if got := r.ask(t); strings.Contains(got, text) {
			return
		} else if time.Since(began) > 2*time.Minute {
			t.Fatalf("waited for %q, the answer is %q\n%s", text, got, r)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// containers returns the containers of served, in whatever state.
func containers(t testing.TB) string {
	t.Helper()
	format := "--format={{.Names}} {{.Image}} {{.Status}}"
	out, err := testtool.Command(t, "docker", "ps", "-a", "--no-trunc", format).Output()
	if err != nil {
		t.Fatal(err)
	}
	mine := regexp.MustCompile(`(?m)^thimble-run-\S+ served:.*$`)
	return strings.Join(mine.FindAllString(string(out), -1), "\n")
}

func runOptions(t testing.TB) build.RunOptions {
	t.Helper()
	repo, config := runRepo(t)
	t.Cleanup(func() {
		out, err := exec.Command("docker", "images", "-q", "served").Output()
		if ids := strings.Fields(string(out)); err == nil && len(ids) > 0 {
			_ = exec.Command("docker", append([]string{"image", "rm", "-f"}, ids...)...).Run()
		}
	})
	return build.RunOptions{Options: build.Options{
		Config: config, Workdir: repo, Env: environment("LEVEL=debug"), Cache: cacheFolder(t),
	}}
}

// TestRunInDocker runs a service, stops it, and lets it fail.
func TestRunInDocker(t *testing.T) {
	testtool.Docker(t)
	o := runOptions(t)
	o.Variables = []string{"LEVEL"}
	r := start(t, o)
	if got := r.ask(t); got != "text embedded asset debug \n" {
		t.Errorf("the answer is %q", got)
	}
	r.await(t, 0, fmt.Sprintf("http://127.0.0.1:%d", r.port))
	if err := r.stop(t); err != nil || !strings.Contains(r.String(), "bye") {
		t.Errorf("the end: %v\n%s", err, r)
	}

	o.Args = []string{"one", "two"} // it ends with 3
	r = start(t, o)
	var exit interface{ ExitStatus() int }
	err := r.wait(t, testtool.Limit())
	if !errors.As(err, &exit) || exit.ExitStatus() != 3 || err.Error() != "run served: it ended with status 3" {
		t.Errorf("a service that fails: %v", err)
	}
	if left := containers(t); left != "" {
		t.Errorf("there are containers:\n%s", left)
	}
}

// TestRerunInDocker edits a service while it runs.
func TestRerunInDocker(t *testing.T) {
	testtool.Docker(t)
	o := runOptions(t)
	o.Watch = true
	main := filepath.Join(o.Workdir, "main.go")
	r := start(t, o)
	r.awaitAnswer(t, "text embedded asset")
	image := func() string {
		t.Helper()
		id := strings.Fields(containers(t))[0]
		return docker(t, "inspect", "--format", "{{.Image}} {{range .Mounts}}{{.Destination}} {{.RW}}{{end}} "+
			"{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}", id)
	}
	first := image()
	id, rest, _ := strings.Cut(first, " ")
	if rest != " true [ALL] [no-new-privileges]\n" {
		t.Errorf("the first container is %q", first)
	}

	edit := func(from, to string) {
		t.Helper()
		save(t, main, strings.Replace(runService, from, to, 1))
	}
	edit(`"text"`, `"edited"`)
	r.awaitAnswer(t, "edited embedded asset")
	r.await(t, 0, "main.go changed: started again after")
	if got := image(); got != id+" /app/served false true [ALL] [no-new-privileges]\n" {
		t.Errorf("after an edit the container is %q", got)
	}

	from := len(r.String())
	edit(`"text"`, `text`)
	r.await(t, from, "undefined: text")
	if got := r.ask(t); !strings.HasPrefix(got, "edited") {
		t.Errorf("after an edit that does not compile, the answer is %q", got)
	}
	save(t, filepath.Join(o.Workdir, "asset.txt"), "ware\n")
	time.Sleep(time.Second) // the build with both changes fails, too
	edit(`"text"`, `"mended"`)
	r.awaitAnswer(t, "mended embedded ware")
	id, _, _ = strings.Cut(image(), " ")

	save(t, filepath.Join(o.Workdir, "embedded.txt"), "other\n")
	r.awaitAnswer(t, "mended other ware")
	save(t, filepath.Join(o.Workdir, "asset.txt"), "goods\n")
	r.awaitAnswer(t, "mended other goods")
	if got := image(); strings.HasPrefix(got, id) || strings.Contains(got, "/app/served") {
		t.Errorf("after another asset the container is %q", got)
	}
	id, _, _ = strings.Cut(image(), " ")

	// The binary needs the time zones, so the image needs them too.
	edit(`return ""`, `l, err := time.LoadLocation("Europe/Berlin"); return fmt.Sprint(l, err)`)
	r.awaitAnswer(t, "Europe/Berlin <nil>")
	if got := image(); strings.HasPrefix(got, id) {
		t.Errorf("with another need the container is %q", got)
	}

	// Several saves are one start, and a new file that nothing compiles is none.
	r.await(t, strings.LastIndex(r.String(), "started 1"), "started again after")
	started := strings.Count(r.String(), "started again after")
	for i := range 10 {
		edit(`"text"`, fmt.Sprintf(`"save%d"`, i))
		save(t, filepath.Join(o.Workdir, "notes.txt"), strconv.Itoa(i))
		time.Sleep(10 * time.Millisecond)
	}
	r.awaitAnswer(t, "save9")
	time.Sleep(2 * time.Second)
	if now := strings.Count(r.String(), "started again after") - started; now != 1 {
		t.Errorf("ten saves are %d starts\n%s", now, r)
	}

	// A service that ends waits for the next change; so does one whose client was killed.
	edit(`signals := make`, "if true {\n\t\tos.Exit(4)\n\t}\n\tsignals := make")
	r.await(t, 0, "has ended (it ended with status 4); it starts again when its source changes")
	edit(`"text"`, `"again"`)
	r.awaitAnswer(t, "again")
	killClients(t)
	r.await(t, 0, "has ended (docker start: signal: killed)")
	edit(`"text"`, `"revived"`)
	r.awaitAnswer(t, "revived")

	if err := r.stop(t); err != nil || !strings.HasSuffix(r.String(), "bye\n") {
		t.Errorf("the end: %v\n%s", err, r)
	}
	if left := containers(t); left != "" {
		t.Errorf("there are containers:\n%s", left)
	}
}

// killClients kills the docker clients that this process has started.
func killClients(t *testing.T) {
	t.Helper()
	out, err := testtool.Command(t, "pgrep", "-P", strconv.Itoa(os.Getpid()), "-x", "docker").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pid := range strings.FieldsSeq(string(out)) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL) // one may have ended
		}
	}
}

// TestRunStops ends the context at many moments: while it builds, loads, starts and restarts.
func TestRunStops(t *testing.T) {
	testtool.Docker(t)
	o := runOptions(t)
	r := start(t, o) // fills the caches
	r.ask(t)
	if err := r.stop(t); err != nil {
		t.Fatal(err)
	}
	o.Watch = true
	for after := 100 * time.Millisecond; after < 1600*time.Millisecond; after += 150 * time.Millisecond {
		r := start(t, o)
		time.Sleep(after)
		err := r.stop(t)
		if err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "ended with status 2") {
			t.Errorf("stopped %v after the start: %v\n%s", after, err, r)
		}
		if left := containers(t); left != "" {
			t.Fatalf("stopped %v after the start, there are containers:\n%s", after, left)
		}
	}
	for after := time.Duration(0); after < 1500*time.Millisecond; after += 150 * time.Millisecond {
		r := start(t, o)
		r.ask(t)
		edited := strings.Replace(runService, `"text"`, fmt.Sprintf(`"%v"`, after), 1)
		save(t, filepath.Join(o.Workdir, "main.go"), edited)
		time.Sleep(after)
		if err := r.stop(t); err != nil && !strings.Contains(err.Error(), "ended with status 2") {
			t.Errorf("stopped %v after an edit: %v\n%s", after, err, r)
		}
		if left := containers(t); left != "" {
			t.Fatalf("stopped %v after an edit, there are containers:\n%s", after, left)
		}
	}
	if out, err := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid()), "-x", "docker").Output(); err == nil {
		t.Errorf("there are processes: %s", out)
	}
}

// BenchmarkRerun edits sample-service, with go build and while it runs. over-ms is by how much the
// time from saving to the new process exceeds that of go build.
func BenchmarkRerun(b *testing.B) {
	testtool.Docker(b)
	repo := sampleService(b)
	o := build.RunOptions{Watch: true, Options: build.Options{
		Workdir: repo, Cache: filepath.Join(b.TempDir(), "cache"), Env: environment(),
		Config: build.Config{Defaults: build.ImageConfig{
			Runtime: build.Runtime{Args: []string{"serve"}, Ports: []string{"8080"}},
		}},
	}}
	file := filepath.Join(repo, "cmd", "sample-service", "edit.go")
	edit := func(text string) {
		// By a rename, as editors do.
		save(b, file+"~", "package main\n\nimport \"time\"\n\n"+
			"func init() { println(\""+text+"\", time.Now().UnixMilli()) }\n")
		if err := os.Rename(file+"~", file); err != nil {
			b.Fatal(err)
		}
	}
	other := sampleService(b)
	goBuild := func(text string) time.Duration {
		source := "package main\n\nfunc init() { println(\"" + text + "\") }\n"
		save(b, filepath.Join(other, "cmd", "sample-service", "edit.go"), source)
		began := time.Now()
		cmd := testtool.Command(b, "go", "build", "-trimpath", "-ldflags=-s -w",
			"-o", filepath.Join(b.TempDir(), "x"), "./cmd/sample-service")
		cmd.Dir, cmd.Env = other, environment("CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(began)
	}
	edit("first")
	r := start(b, o)
	r.await(b, 0, "runs in docker")
	goBuild("first")
	var built, restarted time.Duration
	n := 0
	for b.Loop() {
		n++
		built += goBuild(fmt.Sprint("edit", n))
		text := fmt.Sprintf("edit%d ", n)
		from := len(r.String())
		saved := time.Now()
		edit(strings.TrimSpace(text))
		r.await(b, from, "started again after")
		_, rest, _ := strings.Cut(r.String()[from:], text)
		stamp, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		restarted += time.UnixMilli(stamp).Sub(saved)
	}
	b.ReportMetric(float64(built.Milliseconds())/float64(n), "go-build-ms")
	b.ReportMetric(float64(restarted.Milliseconds())/float64(n), "restart-ms")
	b.ReportMetric(float64((restarted-built).Milliseconds())/float64(n), "over-ms")
	if err := r.stop(b); err != nil {
		b.Error(err)
	}
}
