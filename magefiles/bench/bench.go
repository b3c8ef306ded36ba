// Package bench measures the kit against the tools that a team would use without it.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/klauspost/pgzip"
	"github.com/magefile/mage/mg"

	"github.com/thimble-build/thimble/build/report"
)

// Bench measures mage image against go build and podman build, and mage release against ko, syft and cosign: time, memory and size as ratios in one run
func Bench(ctx context.Context,
	runs *int, // alternations for each ratio; 11 if not given
	only *string, // "image", "first", "ten", "base" or "release" leaves the others out
) error {
	b := &benchmark{ctx: ctx, runs: 11}
	if runs != nil {
		b.runs = *runs
	}
	if b.runs < 1 {
		return fmt.Errorf("bench: %d runs measure nothing", b.runs)
	}
	if only != nil && !slices.Contains([]string{"image", "first", "ten", "base", "release"}, *only) {
		return fmt.Errorf("bench: -only=%s is not image, first, ten, base or release", *only)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "thimble-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.prepare(); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	for _, part := range []struct {
		name    string
		measure func() error
	}{{"image", b.measure}, {"ten", b.ten}, {"first", b.first}, {"base", b.bases}, {"release", b.release}} {
		if only != nil && *only != part.name {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	return nil
}

// benchmark is a copy of sample-service, and the two commands that are compared in it.
type benchmark struct {
	ctx  context.Context
	runs int
	dir  string // the parent of all folders
	repo string
	mage string
	env  []string
	edit int
	rows *tabwriter.Writer
}

func (b *benchmark) prepare() error {
	b.repo, b.mage = filepath.Join(b.dir, "repo"), filepath.Join(b.dir, "mage")
	b.env = append(os.Environ(), "GOENV=off", "GOFLAGS=", "CGO_ENABLED=0",
		"XDG_CACHE_HOME="+filepath.Join(b.dir, "cache"), "NO_COLOR=1", "THIMBLE_COMPRESSION=")
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY"} {
		out, err := exec.CommandContext(b.ctx, mg.GoCmd(), "env", name).Output()
		if err != nil {
			return err
		}
		b.env = append(b.env, name+"="+strings.TrimSpace(string(out)))
	}
	compile := exec.CommandContext(b.ctx, mg.GoCmd(), "tool", "mage", "-d",
		filepath.Join("testdata", "magefile"), "-compile", b.mage)
	if out, err := compile.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the magefile: %w\n%s", err, out)
	}
	if err := os.CopyFS(b.repo, os.DirFS("sample-service")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", "bench"},
	} {
		if _, _, err := b.run(append([]string{"git"}, args...)); err != nil {
			return err
		}
	}
	return nil
}

// goBuild returns the baseline: the same flags, with a fixed output path.
func (b *benchmark) goBuild() []string {
	return []string{"go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o",
		filepath.Join(b.dir, "baseline"), "./cmd/sample-service"}
}

func (b *benchmark) image() []string { return []string{b.mage, "image", "-test=false"} }

// run runs a command in the copy and returns its time and its peak of resident memory in KiB; 0
// if the system does not report it.
func (b *benchmark) run(args []string, env ...string) (time.Duration, int, error) {
	cmd := exec.CommandContext(b.ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = b.repo, append(b.env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	peak := 0
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		select {
		case err := <-done:
			tick.Stop()
			if err != nil {
				return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
			}
			return time.Since(began), peak, nil
		case <-tick.C:
			peak = max(peak, residentPeak(cmd.Process.Pid))
		}
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// residentPeak reads VmHWM (proc(5)): the peak of one process, without its children.
func residentPeak(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := highWater.FindSubmatch(status)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return 0
	}
	return n
}

// change makes a one-line edit that is new to every cache.
func (b *benchmark) change() error {
	b.edit++
	text := fmt.Sprintf(
		"package main\n\nfunc init() { edit = \"%d-%d\" }\n\nvar edit string\n\nfunc init() { "+
			"println(edit) }\n", time.Now().UnixNano(), b.edit)
	return os.WriteFile(filepath.Join(b.repo, "cmd", "sample-service", "edit.go"), []byte(text), 0o644)
}

func (b *benchmark) measure() error {
	b.rows = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(b.rows, "what\tgo build\tmage image\tratio\tlimit\n")

	_, firstPeak, err := b.run(b.image())
	if err != nil {
		return err
	}
	warmPeak, err := b.compare("nothing changed", 1.4, false)
	if err != nil {
		return err
	}
	editPeak, err := b.compare("one-line edit, gzip", 1.3, true)
	if err != nil {
		return err
	}
	if _, err = b.compare("one-line edit, zstd", 1.2, true, "THIMBLE_COMPRESSION=zstd"); err != nil {
		return err
	}
	if err := b.rows.Flush(); err != nil {
		return err
	}

	fmt.Println()
	b.rows = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(b.rows, "peak memory of the process itself\tMiB\tlimit\n")
	_, manyPeak, err := b.edited("GOMAXPROCS=64")
	if err != nil {
		return err
	}
	hugePeak, err := b.huge()
	if err != nil {
		return err
	}
	for _, row := range []struct {
		what        string
		peak, limit int
	}{
		{"the first time, with licences read", firstPeak, 192},
		{"nothing changed", warmPeak, 64},
		{"one-line edit", editPeak, 64},
		{"one-line edit, GOMAXPROCS=64", manyPeak, 64},
		{"a 300 MB binary, GOMAXPROCS=64", hugePeak, 64},
	} {
		fmt.Fprintf(b.rows, "%s\t%.1f\t%d\n", row.what, float64(row.peak)/1024, row.limit)
	}
	if err := b.rows.Flush(); err != nil {
		return err
	}
	return b.sizes()
}

// compare alternates the two commands and prints a row.
func (b *benchmark) compare(what string, limit float64, edit bool, env ...string) (peak int, err error) {
	turn := func(args []string, env ...string) (time.Duration, int, error) {
		if edit {
			if err := b.change(); err != nil {
				return 0, 0, err
			}
		}
		return b.run(args, env...)
	}
	both, err := b.alternate(func() (time.Duration, error) {
		elapsed, _, err := turn(b.goBuild())
		return elapsed, err
	}, func() (time.Duration, error) {
		elapsed, p, err := turn(b.image(), env...)
		peak = max(peak, p)
		return elapsed, err
	})
	if err != nil {
		return 0, err
	}
	fmt.Fprint(b.rows, both.row(what, limit))
	return peak, nil
}

func (b *benchmark) edited(env ...string) (time.Duration, int, error) {
	if err := b.change(); err != nil {
		return 0, 0, err
	}
	return b.run(b.image(), env...)
}

// huge makes an image of a program of 300 MB that cannot be compressed.
func (b *benchmark) huge() (int, error) {
	dir := filepath.Join(b.repo, "cmd", "huge")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program := "package main\n\nimport (\n\t_ \"embed\"\n\t\"os\"\n)\n\n//go:embed data\nvar data " +
		"string\n\nfunc main() { os.Stdout.WriteString(data[len(os.Args):]) }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644); err != nil {
		return 0, err
	}
	f, err := os.Create(filepath.Join(dir, "data"))
	if err != nil {
		return 0, err
	}
	_, err = io.CopyN(f, &noise{state: 1}, 300<<20)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	config := `{"Images": [{"Package": "./cmd/huge"}]}`
	if err := os.WriteFile(filepath.Join(b.repo, "thimble.json"), []byte(config), 0o644); err != nil {
		return 0, err
	}
	defer os.Remove(filepath.Join(b.repo, "thimble.json"))
	_, peak, err := b.run(b.image(), "GOMAXPROCS=64")
	return peak, err
}

// noise is a stream of xorshift numbers, the same each time.
type noise struct{ state uint64 }

func (n *noise) Read(p []byte) (int, error) {
	for i := range p {
		if i%8 == 0 {
			n.state ^= n.state << 13
			n.state ^= n.state >> 7
			n.state ^= n.state << 17
		}
		p[i] = byte(n.state >> (i % 8 * 8))
	}
	return len(p), nil
}

// sizes prints the size of an image without its compressed binary.
func (b *benchmark) sizes() error {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "size\timage\tcompressed binary\tthe rest\tlimit\n")
	if _, _, err := b.run(b.image()); err != nil {
		return err
	}
	if err := b.weigh(w, "sample-service, with licence texts", ""); err != nil {
		return err
	}
	config := filepath.Join(b.repo, "thimble.json")
	if err := os.WriteFile(config, []byte(`{"Defaults": {"OmitLicenseTexts": true}}`), 0o644); err != nil {
		return err
	}
	if _, _, err := b.run(b.image()); err != nil {
		return err
	}
	if err := b.weigh(w, "sample-service, without", "260000"); err != nil {
		return err
	}
	if err := os.RemoveAll(b.repo); err != nil {
		return err
	}
	if err := os.CopyFS(b.repo, os.DirFS(filepath.Join("testdata", "modules", "hello"))); err != nil {
		return err
	}
	if _, _, err := b.run(b.image()); err != nil {
		return err
	}
	if err := b.weigh(w, "hello", "4000"); err != nil {
		return err
	}
	return w.Flush()
}

func (b *benchmark) weigh(w io.Writer, what, limit string) error {
	text, err := os.ReadFile(filepath.Join(b.repo, "dist", "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no manifest for %s", what)
	}
	if err != nil {
		return err
	}
	var m report.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	p := m.Images[0].Platforms[0]
	binary, err := compressed(filepath.Join(b.repo, "dist", filepath.FromSlash(p.Binary.Path)))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", what, p.Size, binary, p.Size-binary, limit)
	return nil
}

// compressed returns the size of a file that is compressed like a layer.
func compressed(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var n counter
	z, err := pgzip.NewWriterLevel(&n, 6)
	if err != nil {
		return 0, err
	}
	if err := z.SetConcurrency(1<<20, 2); err != nil {
		return 0, err
	}
	_, err = io.Copy(z, f)
	err = errors.Join(err, z.Close())
	return int64(n), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
