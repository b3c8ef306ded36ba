// Package gotest vets and tests a module with the go command, in the user's environment, and
// parses the output. It prints nothing; it writes the coverage profile and the JUnit report to
// the files that its caller names.
package gotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/jstemmer/go-junit-report/v2/parser/gotest"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Input says what to test. CoverProfile and JUnit are absolute paths or empty.
type Input struct {
	Go     *gocmd.Go
	Config plan.TestConfig
	// Tags are the build tags of the binaries, used for the tests as well.
	Tags []string
	// Parallel is -p, how many processes run at once; empty means the go command's default.
	Parallel string
	// Confined keeps tests from reading other processes: see process.Command.
	Confined bool
	// Env is added to the user's environment.
	Env                 []string
	CoverProfile, JUnit string
}

// Error is a test run that failed. Output has the lines of the failed tests.
type Error struct {
	Failed []string // packages
	Output string
}

// Error returns a first line and the output of the failed tests.
func (e *Error) Error() string {
	return fmt.Sprintf("test %s: failed\n%s", strings.Join(e.Failed, " "), e.Output)
}

// Run runs `go test` with all of go vet's checks. A failing test is an *Error, and the result
// then still says what passed and what failed; a package that go vet refuses, or that does not
// compile, has failed untested.
func Run(ctx context.Context, in Input) (report.Tests, error) {
	packages := in.Config.Packages
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	var flags []string
	if tags := slices.Concat(in.Tags, in.Config.Tags); len(tags) > 0 {
		slices.Sort(tags)
		flags = append(flags, "-tags="+strings.Join(slices.Compact(tags), ","))
	}
	if in.Parallel != "" {
		flags = append(flags, "-p="+in.Parallel)
	}
	// One command loads and compiles once for the vet and for the tests.
	args := slices.Concat([]string{"test", "-json", "-vet=all"}, flags)
	if in.Config.Race {
		args = append(args, "-race")
	}
	if in.CoverProfile != "" {
		args = append(args, "-coverprofile="+in.CoverProfile)
	}
	args = slices.Concat(args, in.Config.Args, packages)
	return test(ctx, in, args)
}

func test(ctx context.Context, in Input, args []string) (report.Tests, error) {
	var output bytes.Buffer
	events := &reader{failing: map[string]*bytes.Buffer{}}
	var out io.Writer = events
	if in.JUnit != "" {
		out = io.MultiWriter(events, &output)
	}
	cmd := in.Go.User(args...)
	cmd.Env, cmd.Confined = append(cmd.Env, in.Env...), in.Confined
	cmd.Stdout = out
	runErr := process.Run(ctx, cmd)
	if ctx.Err() != nil {
		return report.Tests{}, runErr
	}
	if err := events.flush(); err != nil {
		return report.Tests{}, err
	}
	if in.JUnit != "" {
		if err := writeJUnit(in.JUnit, &output); err != nil {
			return report.Tests{}, err
		}
	}
	slices.Sort(events.result.Passed)
	slices.Sort(events.result.Failed)
	if runErr == nil {
		return events.result, nil
	}
	if len(events.result.Failed) == 0 {
		return report.Tests{}, fmt.Errorf("test: %w", runErr)
	}
	return events.result, &Error{Failed: events.result.Failed,
		Output: strings.TrimRight(events.output.String(), "\n")}
}

func writeJUnit(path string, events io.Reader) error {
	report, err := gotest.NewJSONParser().Parse(events)
	if err != nil {
		return fmt.Errorf("write the JUnit report %s: %w", path, err)
	}
	suites := junit.CreateFromReport(report, "")
	return atomicfile.WriteFunc(path, 0o644, func(w io.Writer) error { return suites.WriteXML(w) })
}

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// reader reads the events as they arrive and keeps the output of tests that may still fail.
type reader struct {
	line    []byte
	failing map[string]*bytes.Buffer // by package and test
	output  bytes.Buffer
	result  report.Tests
	err     error
}

// keep bounds the output that is kept of one test or package, in bytes.
const keep = 256 << 10

func (r *reader) Write(p []byte) (int, error) {
	r.line = append(r.line, p...)
	for {
		i := bytes.IndexByte(r.line, '\n')
		if i < 0 {
			return len(p), nil
		}
		r.event(r.line[:i])
		r.line = append(r.line[:0], r.line[i+1:]...)
	}
}

func (r *reader) flush() error {
	if len(r.line) > 0 {
		r.event(r.line)
	}
	return r.err
}

func (r *reader) event(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		// a test binary that writes output outside of the testing package
		r.output.Write(append(bytes.Clone(line), '\n'))
		return
	}
	key := e.Package + e.ImportPath + "\x00" + e.Test
	switch e.Action {
	case "output", "build-output":
		b := r.failing[key]
		if b == nil {
			b = &bytes.Buffer{}
			r.failing[key] = b
		}
		if b.Len() < keep && !frame(e.Output) {
			b.WriteString(e.Output)
		}
	case "pass", "skip":
		r.count(e)
		delete(r.failing, key)
	case "fail", "build-fail":
		r.count(e)
		if e.Test == "" { // tests that were running when the program died have no further events
			for _, unfinished := range slices.Sorted(maps.Keys(r.failing)) {
				if unfinished != key && strings.HasPrefix(unfinished, key) {
					r.output.Write(r.failing[unfinished].Bytes())
					delete(r.failing, unfinished)
				}
			}
		}
		if b := r.failing[key]; b != nil {
			r.output.Write(b.Bytes())
			delete(r.failing, key)
		}
	}
}

func (r *reader) count(e event) {
	switch {
	case e.Action == "build-fail":
	case e.Test != "" && e.Action == "skip":
		r.result.Skipped++
	case e.Test != "":
		r.result.Tests++
	case e.Action == "fail":
		r.result.Packages++
		r.result.Failed = append(r.result.Failed, e.Package)
	case e.Action == "pass": // a package without tests skips
		r.result.Packages++
		r.result.Passed = append(r.result.Passed, e.Package)
	}
}

// frame says whether a line of output is only a frame line of the testing package.
func frame(line string) bool {
	for _, p := range []string{"=== RUN", "=== PAUSE", "=== CONT", "=== NAME", "PASS\n"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}
