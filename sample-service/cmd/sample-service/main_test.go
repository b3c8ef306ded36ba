package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the service itself where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("SAMPLE_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), "SAMPLE_TEST_MAIN=1", "SAMPLE_ADDR=127.0.0.1:0")
	return cmd
}

func TestSIGTERM(t *testing.T) {
	cmd := program(t) // no arguments, as in an image
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() {
		t.Fatalf("no log: %v", lines.Err())
	}
	var first struct{ Msg, Addr string }
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil || first.Msg != "serving" {
		t.Fatalf("%s: %v", lines.Text(), err)
	}
	res, err := http.Get("http://" + first.Addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: %v", res.Status, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestExitStatus(t *testing.T) {
	if out, err := program(t, "version").CombinedOutput(); err != nil {
		t.Errorf("version: %v: %s", err, out)
	}
	for _, args := range [][]string{{"bogus"}, {"serve", "--addr", "nowhere"}, {"healthcheck", "--addr", "127.0.0.1:1"}} {
		cmd := program(t, args...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
