package testtool

import (
	"strings"
	"testing"
	"time"
)

// fails is a test that may fail.
type fails struct {
	testing.TB
	said chan string
}

func (f fails) Helper()                           {}
func (f fails) Errorf(format string, args ...any) { f.said <- format }

// A program that does not end is ended by the limit, and named.
func TestCommand(t *testing.T) {
	f := fails{t, make(chan string, 1)}
	cmd := commandWithin(f, 100*time.Millisecond, "sleep", "100")
	began := time.Now()
	if err := cmd.Run(); err == nil {
		t.Error("no error")
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	if said := <-f.said; !strings.HasPrefix(said, "waited ") {
		t.Errorf("it says %q", said)
	}
	if out, err := Command(t, "echo", "hello").Output(); err != nil || string(out) != "hello\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// Output gives what a program prints, or what it said of its failure.
func TestOutput(t *testing.T) {
	dir := t.TempDir()
	if out, err := Output(dir, []string{"WORD=hello"}, "sh", "-c", `echo "$WORD $(pwd)"; echo no >&2`); err != nil || out != "hello "+dir+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := Output("", nil, "sh", "-c", "echo no >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3\nno") {
		t.Errorf("error %v", err)
	}
}
