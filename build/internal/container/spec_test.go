package container

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestParsePort(t *testing.T) {
	for text, want := range map[string]string{
		"8080":          "http://127.0.0.1:8080 8080",
		"18080:8080":    "http://127.0.0.1:18080 8080",
		"53/udp":        "127.0.0.1:53/udp 53",
		"10053:53/sctp": "127.0.0.1:10053/sctp 53",
	} {
		p, err := ParsePort(text)
		if got := fmt.Sprint(p, " ", p.Container); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "0", "65536", "x", "8080:", ":8080", "1:2:3", "127.0.0.1:80:80", "80/icmp", "80/", "-1",
	} {
		if p, err := ParsePort(text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q is %v, %v", text, p, err)
		}
	}
}

func TestCreateArgs(t *testing.T) {
	strict := "create --rm --pull=never --name=n --read-only --cap-drop=ALL "
	unprivileged := "--security-opt=no-new-privileges "
	for _, test := range []struct {
		engine, want string
		spec         Spec
	}{
		{"docker", strict + unprivileged + "api:v1", Spec{Image: "api:v1"}},
		{"podman", strict + "--read-only-tmpfs=false " + unprivileged + "api:v1", Spec{Image: "api:v1"}},
		{
			"docker", strict + "--cap-add=NET_BIND_SERVICE api:v1",
			Spec{Image: "api:v1", Capabilities: []string{"cap_net_bind_service"}},
		},
		{
			"docker", strict + unprivileged + "--tmpfs=/tmp:rw,noexec,nosuid,nodev,mode=1777 " +
				"--publish=127.0.0.1:18080:8080/tcp --env=A=b,c --env=TOKEN " +
				"--mount=type=bind,source=/dist/api,target=/app/api,readonly api:v1 serve -v",
			Spec{
				Image: "api:v1", Args: []string{"serve", "-v"}, Tmp: true, Ports: []Port{{18080, 8080, "tcp"}},
				Env: []string{"A=b,c"}, Secrets: []string{"TOKEN=secret"},
				Programs: []Program{{"/dist/api", "/app/api"}},
			},
		},
		{
			"docker", strict + unprivileged + `--mount=type=bind,"source=/a,""b/api",target=/app/api,readonly api:v1`,
			Spec{Image: "api:v1", Programs: []Program{{`/a,"b/api`, "/app/api"}}},
		},
	} {
		if got := strings.Join(test.spec.createArgs(test.engine, "n"), " "); got != test.want {
			t.Errorf("the arguments are\n%s, want\n%s", got, test.want)
		}
	}
}

// TestOutcome has what the clients write when the engine fails, and when the service does.
func TestOutcome(t *testing.T) {
	exit := func(code string) error { return exec.Command("sh", "-c", code).Run() }
	for _, test := range []struct {
		engine, said, want string
		err                error
		status             int
		lost               bool
	}{
		{"docker", "", "", nil, 0, false},
		{"docker", "panic: x", "it ended with status 2", exit("exit 2"), 2, false},
		{"docker", "a\nError: my own", "it ended with status 1", exit("exit 1"), 1, false},
		{
			"docker", "WARNING\nError response from daemon: port is already allocated\n",
			"docker start: Error response from daemon: port is already allocated", exit("exit 1"), 0, false,
		},
		{"podman", "Error: no crun", "podman start: Error: no crun", exit("exit 125"), 0, false},
		{
			"nerdctl", `time="x" level=fatal msg="no"`, `nerdctl start: time="x" level=fatal msg="no"`,
			exit("exit 1"), 0, false,
		},
		{
			"docker", "exec /app/api: exec format error",
			"it ended with status 255: the image is not for the architecture of docker's machine",
			exit("exit 255"), 255, false,
		},
		{"docker", "", "docker start: signal: killed", exit("kill -9 $$"), 0, true},
	} {
		err, lost := Engine{Name: test.engine}.outcome(test.err, test.said)
		got := ""
		if err != nil {
			got = err.Error()
		}
		ended, status := (*ExitError)(nil), 0
		if errors.As(err, &ended) {
			status = ended.ExitStatus()
		}
		if got != test.want || status != test.status || lost != test.lost {
			t.Errorf("%q after %v: %q, status %d, lost %v; want %q, %d, %v",
				test.said, test.err, got, status, lost, test.want, test.status, test.lost)
		}
	}
}

func TestEnding(t *testing.T) {
	var all strings.Builder
	e := &ending{to: &all}
	for range 1000 {
		fmt.Fprint(e, "0123456789")
	}
	if all.Len() != 10000 || len(e.last) != 2<<10 || !strings.HasSuffix(string(e.last), "89") {
		t.Errorf("%d bytes were passed on, %d kept", all.Len(), len(e.last))
	}
}

func TestPortInUse(t *testing.T) {
	l, taken := listen(t)
	for _, several := range []bool{false, true} {
		_, err := Publish([]Port{taken}, several)
		want := fmt.Sprintf("port %d of 127.0.0.1 is in use; stop the program that uses it, "+
			"or choose another port: -port=%d:8080", taken.Host, otherPort(taken.Host))
		if err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	l.Close()
	f, err := Publish([]Port{taken}, true)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if f, err = Publish([]Port{taken}, false); err != nil {
		t.Errorf("Close does not give the port back: %v", err)
	} else {
		f.Close()
	}
}

// TestFront passes connections on to one server and then to another.
func TestFront(t *testing.T) {
	l, public := listen(t)
	l.Close()
	f, err := Publish([]Port{public}, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, public); got != "" {
		t.Errorf("without a container, %q answers", got)
	}
	for _, name := range []string{"one", "two"} {
		server, port := listen(t)
		go func() {
			for {
				conn, err := server.Accept()
				if err != nil {
					return
				}
				said := make([]byte, 100)
				n, _ := conn.Read(said)
				fmt.Fprintf(conn, "%s says %s", name, said[:n])
				conn.Close()
			}
		}()
		f.to.Store(&[]Port{port})
		if got := ask(t, public); got != name+" says hello" {
			t.Errorf("the answer is %q", got)
		}
	}
	open, err := net.Dial("tcp", public.address())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	f.Close() // it waits for the connection
	if n, err := open.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes come after Close", n)
	}
	if _, err := net.Dial("tcp", public.address()); err == nil {
		t.Error("somebody listens after Close")
	}
}

// listen returns a server on a free port.
func listen(t *testing.T) (net.Listener, Port) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, Port{Host: l.Addr().(*net.TCPAddr).AddrPort().Port(), Container: 8080, Protocol: "tcp"}
}

// ask says hello, and returns what comes back.
func ask(t *testing.T, p Port) string {
	t.Helper()
	conn, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "hello")
	var all []byte
	for buf := make([]byte, 100); ; {
		n, err := conn.Read(buf)
		all = slices.Concat(all, buf[:n])
		if err != nil {
			return string(all)
		}
	}
}
