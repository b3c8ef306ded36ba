package testtool

import (
	"slices"
	"testing"
)

// Only a run of all tests by the go command says what a package skips.
func TestWhole(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"-test.testlogfile=/tmp/log", "-test.paniconexit0", "-test.timeout=10m0s"}, true},
		{[]string{"-test.paniconexit0", "-test.v=test2json", "-test.short=false"}, true},
		{[]string{"-test.paniconexit0", "-test.run=TestA"}, false},
		{[]string{"-test.paniconexit0", "-test.skip=TestA"}, false},
		{[]string{"-test.paniconexit0", "-test.short=true"}, false},
		{[]string{"-test.timeout=1m"}, false}, // a test started its own program
		{nil, false},
	} {
		if got := whole(c.args); got != c.want {
			t.Errorf("%q: %t, want %t", c.args, got, c.want)
		}
	}
}

func TestRecord(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(name, home)
	}
	if got, err := SkippedIn(dir); err != nil || len(got) > 0 {
		t.Errorf("before a run: %v, %v", got, err)
	}
	file, err := recordOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Skipped{{"TestB", "root"}, {"TestA/x", "Docker"}, {"TestB", "root"}} {
		record(file).add(s.Test, s.Need)
	}
	record("").add("TestC", "nothing")
	if got, err := SkippedIn(dir); err != nil || !slices.Equal(got, []Skipped{{"TestA/x", "Docker"}, {"TestB", "root"}}) {
		t.Errorf("after it: %v, %v", got, err)
	}
}

// TestSkipped is the one that every machine skips unless it is asked for, which the test of
// the summary looks for.
func TestSkipped(t *testing.T) {
	OnRequest(t, "to be asked for")
	if !Asked() {
		t.Error("it runs unasked")
	}
}
