package testtool

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Skipped is a test that was not run, or not completely, because THIMBLE_REQUIRE=1 was not set.
type Skipped struct {
	Test string // such as TestLock/arm64
	Need string // what it needs
}

// record is a file in the user's cache with the skipped tests of one package, one JSON object a
// line. It stays when the test ends: the go command does not run a test again if it has a cached
// result, and the record of the last run still says what that result lacks. The file is outside
// of the module, because the go command caches no result of a test that writes into the module.
// An empty name records nothing.
type record string

// leftOut is this process's record.
var leftOut = begin()

// begin removes the records of an earlier run. Only a run of the whole package by the go command
// records.
func begin() record {
	if !testing.Testing() || Asked() || !whole(os.Args[1:]) {
		return ""
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	file, err := recordOf(dir)
	if err != nil {
		return ""
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return record(file)
}

// whole reports whether the go command started a test program to run all tests: tests also start
// their own program.
func whole(args []string) bool {
	called := false
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "-test.paniconexit0":
			called = true
		case "-test.run", "-test.skip", "-test.list", "-test.bench", "-test.fuzz":
			return false
		case "-test.short":
			if value == "true" {
				return false
			}
		}
	}
	return called
}

// recordOf returns the record of the package in a folder.
func recordOf(dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "thimble-test-tools", "skipped",
		fmt.Sprintf("%x", sha256.Sum256([]byte(dir)))), nil
}

// add records a test. It ignores errors: they are no reason to fail a test.
func (r record) add(test, need string) {
	if r == "" {
		return
	}
	line, err := json.Marshal(Skipped{test, need})
	if err != nil {
		return
	}
	if err := os.MkdirAll(filepath.Dir(string(r)), 0o755); err != nil {
		return
	}
	f, err := os.OpenFile(string(r), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	_, _ = f.Write(append(line, '\n'))
	_ = f.Close()
}

// SkippedIn returns the tests that the last run of the package in a folder skipped, sorted and
// without repetitions.
func SkippedIn(dir string) ([]Skipped, error) {
	file, err := recordOf(dir)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var all []Skipped
	for line := range bytes.Lines(b) {
		var s Skipped
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Skipped) int {
		return strings.Compare(a.Test+"\x00"+a.Need, b.Test+"\x00"+b.Need)
	})
	return slices.Compact(all), nil
}
