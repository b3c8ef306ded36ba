package license

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

const sampleService = "../../../sample-service"

// linked returns the modules of sample-service with their linked packages, the
// standard library among them, as `go list -deps` knows them.
func linked(t testing.TB) []Module {
	t.Helper()
	run := func(args ...string) []byte {
		cmd := testtool.Command(t, "go", args...)
		cmd.Dir = sampleService
		cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, &stderr)
		}
		return out
	}
	goroot := strings.TrimSpace(string(run("env", "GOROOT")))
	version := strings.TrimSpace(string(run("env", "GOVERSION")))
	type pkg struct {
		ImportPath, Dir string
		Module          *struct {
			Path, Version, Dir, Sum string
			Main                    bool
		}
	}
	byPath := map[string]*Module{}
	decoder := json.NewDecoder(bytes.NewReader(run("list", "-deps", "-json=ImportPath,Dir,Module", "./cmd/sample-service")))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil { // of the standard library
			continue
		}
		m := byPath[p.Module.Path]
		if m == nil {
			m = &Module{Path: p.Module.Path, Version: p.Module.Version, Sum: p.Module.Sum, Dir: p.Module.Dir}
			byPath[m.Path] = m
		}
		rel, err := filepath.Rel(m.Dir, p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		m.Packages = append(m.Packages, filepath.ToSlash(rel))
	}
	modules := []Module{Standard(goroot, version)}
	for _, m := range byPath {
		modules = append(modules, *m)
	}
	slices.SortFunc(modules, func(a, b Module) int { return strings.Compare(a.Path, b.Path) })
	return modules
}

// TestSampleService compares with answers that a person found by reading.
func TestSampleService(t *testing.T) {
	testtool.OnRequest(t, "sample-service and its modules")
	want := map[string]string{}
	if err := json.Unmarshal([]byte(fixture(t, "../../../testdata/licenses/sample-service.json")), &want); err != nil {
		t.Fatal(err)
	}
	results, err := Scan(context.Background(), linked(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if e, ok := want[r.Path]; !ok {
			t.Errorf("%s: %q is not among the expected answers: read its licence files and add it", r.Path, r.Expression)
		} else if e != r.Expression {
			t.Errorf("%s: %q, want %q\n%+v", r.Path, r.Expression, e, r.Files)
		}
		delete(want, r.Path)
	}
	for path := range want {
		t.Errorf("%s is expected and not linked", path)
	}
}

// Benchmarks: a warm scan asks the memo once a module; a cold one reads the files
// and knows their texts; identify is licensecheck itself, once it is prepared.

func BenchmarkScanWarm(b *testing.B) { benchmarkScan(b, 100, true) }
func BenchmarkScanCold(b *testing.B) { benchmarkScan(b, 100, false) }

func benchmarkScan(b *testing.B, n int, pinned bool) {
	var modules []Module
	mit := fixture(b, "testdata/MIT")
	for i := range n {
		files := map[string]string{"LICENSE": mit, "README.md": "m"}
		packages := []string{"."}
		for p := range 10 {
			packages = append(packages, fmt.Sprintf("internal/p%d", p))
			files[packages[p+1]+"/code.go"] = "package p"
		}
		m := module(b, files, packages...)
		m.Path = fmt.Sprintf("example.com/m%d", i)
		if pinned {
			m.Sum = fmt.Sprintf("h1:%d", i)
		}
		modules = append(modules, m)
	}
	dir := b.TempDir()
	memo := func(key string, make func() ([]byte, error)) ([]byte, error) {
		file := filepath.Join(dir, key)
		if value, err := os.ReadFile(file); err == nil {
			return value, nil
		}
		value, err := make()
		if err != nil {
			return nil, err
		}
		return value, os.WriteFile(file, value, 0o644)
	}
	if _, err := Scan(context.Background(), modules, memo); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Scan(context.Background(), modules, memo); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTexts(b *testing.B) {
	modules := linked(b)
	results, err := Scan(context.Background(), modules, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		text, err := Texts(modules, results)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
	}
}

func BenchmarkIdentify(b *testing.B) {
	text := []byte(fixture(b, "../../../LICENSE"))
	identify(text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		identify(text)
	}
}
