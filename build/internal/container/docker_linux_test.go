package container_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/container"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// program says what it may do, and then listens until SIGTERM.
const program = `package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	status, err := os.ReadFile("/proc/self/status")
	fmt.Print(err, "\n", string(status))
	fmt.Println("root:", os.WriteFile("/file", nil, 0o600))
	fmt.Println("tmp:", os.WriteFile("/tmp/file", nil, 0o600))
	fmt.Println("args:", os.Args[1:], "env:", os.Getenv("LEVEL"), os.Getenv("TOKEN"))
	if len(os.Args) > 1 && os.Args[1] == "fail" {
		fmt.Fprintln(os.Stderr, "it fails")
		os.Exit(3)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	l, err := net.Listen("tcp", ":8080")
	fmt.Println("listens:", err)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "GREETING")
			conn.Close()
		}
	}()
	<-signals
	if strings.Contains(os.Getenv("LEVEL"), "stubborn") {
		<-signals
	}
	fmt.Println("bye")
}
`

// build compiles the program.
func build(t *testing.T, greeting string) string {
	t.Helper()
	dir := t.TempDir()
	source := []byte(strings.ReplaceAll(program, "GREETING", greeting))
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := testtool.Command(t, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "api", "main.go")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=", "GO111MODULE=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "api")
}

// image makes an image of the program, and returns its reference.
func image(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeDir, Name: "app/", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "app/api", Mode: 0o755, Size: int64(len(content))},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ref := "thimble-test/container:" + strconv.FormatInt(time.Now().UnixNano(), 36)
	cmd := testtool.Command(t, "docker", "import", "--change=USER 65532:65532",
		`--change=ENTRYPOINT ["/app/api"]`, `--change=CMD ["serve"]`, "-", ref)
	cmd.Stdin = &layer
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", "-f", ref).Run() })
	return ref
}

func docker(t *testing.T) container.Engine {
	t.Helper()
	testtool.Docker(t)
	client, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	return container.Engine{Name: "docker", Program: client, Env: os.Environ()}
}

// nothingLeft wants no container of an image, in whatever state.
func nothingLeft(t *testing.T, image string) {
	t.Helper()
	out, err := testtool.Command(t, "docker", "ps", "-a", "--filter", "ancestor="+image).CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("containers are left: %v\n%s", err, out)
	}
}

// buffer is what a service wrote so far.
type buffer struct{ testtool.Buffer }

func (b *buffer) await(t *testing.T, text string) {
	t.Helper()
	for began := time.Now(); !strings.Contains(b.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("waited for %q in\n%s", text, b.String())
		}
	}
}

// answer is what a server on a port of this machine says.
func answer(t *testing.T, port uint16) string {
	t.Helper()
	var last error
	for range 200 {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			said, err := io.ReadAll(conn)
			conn.Close()
			if err == nil && len(said) > 0 {
				return string(said)
			}
			last = err
		} else {
			last = err
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("port %d does not answer: %v", port, last)
	return ""
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func TestContainerInDocker(t *testing.T) {
	engine := docker(t)
	ref := image(t, build(t, "one"))
	spec := container.Spec{
		Image: ref, Tmp: true, Env: []string{"LEVEL=debug"}, Secrets: []string{"TOKEN=secret"},
	}
	port := freePort(t)
	front, err := container.Publish([]container.Port{{Host: port, Container: 8080, Protocol: "tcp"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	create := func(s container.Spec) *container.Container {
		t.Helper()
		c, err := front.Create(t.Context(), engine, s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Remove() })
		return c
	}
	c := create(spec)
	var said buffer
	front.Start(c, &said, io.Discard)
	said.await(t, "listens: <nil>")
	for _, want := range []string{
		"CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000",
		"NoNewPrivs:\t1", "Uid:\t65532",
		"root: open /file: read-only file system", "tmp: <nil>", "args: [serve] env: debug secret",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in\n%s", want, said.String())
		}
	}
	if got := answer(t, port); got != "one" {
		t.Errorf("the answer is %q", got)
	}

	// The next has another program in the same image.
	next := spec
	next.Tmp, next.Args, next.Env = false, []string{"a b"}, []string{"LEVEL=stubborn"}
	next.Programs = []container.Program{{File: build(t, "two"), Target: "/app/api"}}
	c2 := create(next)
	var nextSaid buffer
	if err := front.Replace(c, c2, time.Second, &nextSaid, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := c.Err(); err != nil || !strings.HasSuffix(said.String(), "bye\n") {
		t.Errorf("the first one ends with %v\n%s", err, said.String())
	}
	nextSaid.await(t, "listens: <nil>")
	for _, want := range []string{"tmp: open /tmp/file: read-only file system", "args: [a b] env: stubborn"} {
		if !strings.Contains(nextSaid.String(), want) {
			t.Errorf("%q is not in\n%s", want, nextSaid.String())
		}
	}
	if got := answer(t, port); got != "two" {
		t.Errorf("the answer is %q", got)
	}
	err = c2.Stop(time.Second)
	if err == nil || !strings.Contains(err.Error(), "did not stop within 1 s and was killed") {
		t.Errorf("a service that does not stop: %v", err)
	}
	if err := c2.Remove(); err != nil {
		t.Fatal(err)
	}

	failing := spec
	failing.Args = []string{"fail"}
	c = create(failing)
	var failed buffer
	c.Start(io.Discard, &failed)
	<-c.Done()
	exit := (*container.ExitError)(nil)
	if !errors.As(c.Err(), &exit) || exit.Status != 3 || failed.String() != "it fails\n" {
		t.Errorf("a service that fails: %v\n%s", c.Err(), failed.String())
	}
	// Stop right after Start: the engine may not have started it.
	c = create(spec)
	c.Start(io.Discard, io.Discard)
	began := time.Now()
	_ = c.Stop(time.Second)
	if err := c.Remove(); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("stop right after start: %v after %v", err, time.Since(began))
	}
	if err := create(spec).Remove(); err != nil { // never started
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := container.Create(ended, engine, spec); !errors.Is(err, context.Canceled) {
		t.Errorf("create after the end: %v", err)
	}
	spec.Image = "thimble-test/container:none"
	_, err = container.Create(t.Context(), engine, spec)
	if err == nil || !strings.Contains(err.Error(), "create a container of thimble-test/container:none: ") {
		t.Errorf("an image that is not there: %v", err)
	}
	nothingLeft(t, ref)
}

// TestClientKilled kills the client that is attached to a container.
func TestClientKilled(t *testing.T) {
	engine := docker(t)
	ref := image(t, build(t, "one"))
	c, err := container.Create(t.Context(), engine, container.Spec{Image: ref})
	if err != nil {
		t.Fatal(err)
	}
	var said buffer
	c.Start(&said, io.Discard)
	said.await(t, "listens: <nil>")
	pids, err := testtool.Command(t, "pgrep", "-P", strconv.Itoa(os.Getpid()), "-x", "docker").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	<-c.Done()
	if err := c.Stop(time.Second); err == nil || !strings.Contains(err.Error(), "docker start: signal: killed") {
		t.Errorf("the error is %v", err)
	}
	if err := c.Remove(); err != nil {
		t.Error(err)
	}
	nothingLeft(t, ref)
}
