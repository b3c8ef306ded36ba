package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// step is what this test's own program does instead of the tests.
type step struct {
	// Refuse are mechanisms that the kernel refuses from here on.
	Refuse []Mechanism
	Entry  *Entry
	Args   []string
	Trial  *Trial
}

const variable = "SANDBOX_TEST_STEP"

func TestMain(m *testing.M) {
	if text := os.Getenv(variable); text != "" {
		fmt.Fprintln(os.Stderr, do(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// do carries out a step, and returns what went wrong.
func do(text string) error {
	var s step
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, variable+"=") })
	switch {
	case s.Trial != nil:
		if err := s.Trial.Run(); err != nil {
			return err
		}
		os.Exit(0)
	case s.Entry != nil:
		return Enter(*s.Entry, s.Args, append(env, next()...))
	case s.Refuse != nil:
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if err := forbid(refusal(s.Refuse)); err != nil {
			return err
		}
		return unix.Exec(s.Args[0], s.Args, append(env, next()...))
	}
	return errors.New("an empty step")
}

// next is the step after an entry.
func next() []string {
	if then := os.Getenv("SANDBOX_TEST_NEXT"); then != "" {
		return []string{variable + "=" + then}
	}
	return nil
}

// refusal are the system calls without which a kernel has no such mechanism.
func refusal(mechanisms []Mechanism) (calls []call) {
	for _, m := range mechanisms {
		switch m {
		case Files:
			calls = append(calls, refuse(unix.ENOSYS, unix.SYS_LANDLOCK_CREATE_RULESET)...)
		case Calls:
			calls = append(calls, call{number: unix.SYS_PRCTL, errno: unix.EINVAL, bits: 0x10}) // of PR_SET_SECCOMP, and of no other that is used
			calls = append(calls, refuse(unix.ENOSYS, unix.SYS_SECCOMP)...)
		default:
			calls = append(calls, refuse(unix.ENOSYS, unix.SYS_CLONE3)...)
			calls = append(calls, call{number: unix.SYS_CLONE, errno: unix.EPERM, bits: uint32(flags[m])})
		}
	}
	return calls
}

// run starts a program under mechanisms.
func run(ctx context.Context, rules Rules, mechanisms []Mechanism, env []string, args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, testtool.Limit(), fmt.Errorf("no result after %v", testtool.Limit()))
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	entry, release, err := Command(cmd, rules, mechanisms)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(step{Entry: &entry, Args: args})
	if err != nil {
		return "", err
	}
	cmd.Env = append(slices.Concat(os.Environ(), env), variable+"="+string(b))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Start()
	release()
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%q: %w: %s", args, errors.Join(context.Cause(ctx), err), out.String())
	}
	return out.String(), err
}

// probe tries each mechanism.
func probe(t *testing.T) (held []Mechanism, refused []Refusal) {
	t.Helper()
	held, refused, err := Probe(t.Context(), func(ctx context.Context, m Mechanism) error {
		trial, err := NewTrial(t.TempDir(), m)
		if err != nil {
			return err
		}
		defer trial.Close()
		b, err := json.Marshal(step{Trial: trial})
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		rules := System()
		rules.Read = append(rules.Read, self)
		_, err = run(ctx, rules, []Mechanism{m}, []string{"SANDBOX_TEST_NEXT=" + string(b)}, self)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return held, refused
}

// Each mechanism is found to hold, or to be refused, whatever the reason.
func TestProbe(t *testing.T) {
	if text := os.Getenv("SANDBOX_TEST_REFUSED"); text != "" { // in a process without some of them
		_, refused := probe(t)
		var got []string
		for _, r := range refused {
			got = append(got, string(r.Mechanism))
		}
		fmt.Printf("refused=%s\n", strings.Join(got, ","))
		return
	}
	all, refused := probe(t)
	for _, r := range refused {
		t.Logf("this machine refuses %s", r)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(string(m), func(t *testing.T) {
			b, err := json.Marshal(step{Refuse: []Mechanism{m}, Args: []string{self, "-test.run=^TestProbe$", "-test.v"}})
			if err != nil {
				t.Fatal(err)
			}
			cmd := testtool.Command(t, self)
			cmd.Env = append(os.Environ(), variable+"="+string(b), "SANDBOX_TEST_REFUSED=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var want []string
			for _, other := range All {
				if other == m || !slices.Contains(all, other) {
					want = append(want, string(other))
				}
			}
			if !strings.Contains(string(out), "refused="+strings.Join(want, ",")+"\n") {
				t.Errorf("a kernel without %s: %s, want %q", m, out, want)
			}
		})
	}
}

// A mechanism does not count as one that holds if the child cannot tell.
func TestTrialOfNothing(t *testing.T) {
	if err := (&Trial{Mechanism: "another namespace"}).Run(); err == nil || !strings.Contains(err.Error(), "read the child's namespace") {
		t.Errorf("%v", err)
	}
}

// What a program in the sandbox cannot do, and what it can.
func TestSandbox(t *testing.T) {
	held, _ := probe(t)
	if len(held) == 0 {
		t.Skip("this machine refuses every mechanism")
	}
	home, room := t.TempDir(), t.TempDir()
	secret := filepath.Join(home, "id_ed25519")
	anew := func(t *testing.T) { // what is there before each script
		t.Helper()
		for _, dir := range []string{home, room} {
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, file := range []string{secret, filepath.Join(room, "source.go")} {
			if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	address := strings.Replace(server.Addr().String(), ":", "/", 1)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("this needs bash")
	}
	rules := System()
	rules.Write = append(rules.Write, room)
	for _, test := range []struct {
		name, script string
		by           Mechanism // alone stops it; empty for what is allowed
	}{
		{"read HOME", "cat " + secret, Files},
		{"list HOME", "ls " + home, Files},
		{"write outside", "echo x >" + home + "/new", Files},
		{"change a file outside", "echo x >>" + secret, Files},
		{"truncate outside", "truncate -s 0 " + secret, Files},
		{"remove outside", "rm " + secret, Files},
		{"move outside", "mv " + room + "/source.go " + home, Files},
		{"follow a link outside", "ln -sf " + secret + " " + room + "/link && cat " + room + "/link", Files},
		{"make a pipe", "mkfifo " + room + "/pipe", Files},
		{"see another process", "ls /proc/" + fmt.Sprint(os.Getpid()), Files},
		{"read another's environment", "cat /proc/" + fmt.Sprint(os.Getpid()) + "/environ", Files},
		{"end another process", "kill -0 " + fmt.Sprint(os.Getpid()), Processes},
		{"connect to this machine", "exec 3<>/dev/tcp/" + address, Network},
		{"open a socket", "exec 3<>/dev/udp/127.0.0.1/9", Calls},

		{"read the source", "cat " + room + "/source.go", ""},
		{"write", "mkdir -p " + room + "/a && echo x >" + room + "/a/b && mv " + room + "/a/b " + room + "/c && rm " + room + "/c", ""},
		{"use the system", "ls /usr/bin >/dev/null && head -c 8 /dev/urandom >/dev/null", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			under := func(mechanisms ...Mechanism) error {
				anew(t)
				_, err := run(t.Context(), rules, mechanisms, nil, bash, "-c", test.script)
				return err
			}
			// Otherwise a script that never works would show nothing.
			if err := under(); err != nil {
				t.Fatalf("without a sandbox: %v", err)
			}
			if test.by == "" {
				if err := under(held...); err != nil {
					t.Error(err)
				}
				return
			}
			if !slices.Contains(held, test.by) {
				t.Skipf("this machine refuses %s", test.by)
			}
			for _, mechanisms := range [][]Mechanism{{test.by}, held} {
				if err := under(mechanisms...); err == nil {
					t.Errorf("it works under %q", mechanisms)
				}
				if b, err := os.ReadFile(secret); test.by == Files && (err != nil || string(b) != "content") {
					t.Errorf("afterwards %s has %q, %v", secret, b, err)
				}
			}
		})
	}
}

// A descriptor that was left open does not reach the program.
func TestDescriptors(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], 0); err != nil { // without close-on-exec
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	out, err := run(t.Context(), System(), nil, nil, "/bin/sh", "-c", fmt.Sprintf("echo x >&%d", pipe[1]))
	if err == nil {
		t.Errorf("the program writes into a pipe of its parent's: %s", out)
	}
}
