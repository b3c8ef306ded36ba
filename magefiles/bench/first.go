package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	kitPath  = "github.com/thimble-build/thimble"
	mainName = "mage_output_file.go" // the file that mage generates
)

// first compares the time from init to the first image, with all modules downloaded and nothing
// compiled, with that of the two necessary go builds: the magefile's, and then the service's,
// from the same empty cache. The kit is this repository's last commit.
func (b *benchmark) first() error {
	f := &firstImage{benchmark: b}
	if err := f.prepare(); err != nil {
		return err
	}
	b.runs = min(b.runs, 5) // each pair takes minutes
	found, err := b.pairs(0, f.builds, f.image)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nwhat\ttwo go builds\tinit, mage image\tratio\tlimit\n")
	fmt.Fprint(w, found.row("init to the first image, empty build cache", 1.15))
	return w.Flush()
}

// firstImage is a newly cloned repository.
type firstImage struct {
	*benchmark
	version string
	env     []string
	n       int
}

func (f *firstImage) init() []string {
	return []string{"go", "run", kitPath + "/build/init@" + f.version}
}

// prepare downloads all modules, takes the kit from this repository, and keeps the main file that
// mage generates.
func (f *firstImage) prepare() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	f.env = []string{
		"GOMODCACHE=" + filepath.Join(f.dir, "modules"),
		"GOPROXY=file://" + filepath.ToSlash(filepath.Join(f.setting("GOMODCACHE"), "cache", "download")) +
			"," + f.setting("GOPROXY"),
		"GOFLAGS=-modcacherw", "GOSUMDB=off", "GOWORK=", "GONOPROXY=" + kitPath, "THIMBLE_REPOSITORY=",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + here + ".insteadOf",
		"GIT_CONFIG_VALUE_0=https://" + kitPath,
	}
	if err := f.fresh("sample-service"); err != nil {
		return err
	}
	commit := exec.CommandContext(f.ctx, "git", "rev-parse", "HEAD")
	revision, err := commit.Output()
	if err != nil {
		return fmt.Errorf("read this repository's commit: %w", err)
	}
	list := exec.CommandContext(f.ctx, "go", "list", "-m", "-f", "{{.Version}}",
		kitPath+"@"+strings.TrimSpace(string(revision)))
	list.Dir, list.Env, list.Stderr = f.dir, append(f.benchmark.env, f.env...), os.Stderr
	version, err := list.Output()
	if err != nil {
		return fmt.Errorf("find the kit's version: %w", err)
	}
	f.version = strings.TrimSpace(string(version))
	magefiles := filepath.Join(f.repo, "magefiles")
	for _, args := range [][]string{
		f.init(), {"go", "-C", magefiles, "tool", "mage", "-keep", "-d", magefiles, "-w", magefiles,
			"-compile", filepath.Join(f.dir, "kept")}, {"go", "mod", "download"},
	} {
		if _, _, err := f.run(args, append(f.env, "GOWORK=off")...); err != nil {
			return err
		}
	}
	f.env = append(f.env, "GOPROXY=off")
	return os.Rename(filepath.Join(magefiles, mainName), filepath.Join(f.dir, mainName))
}

// setting returns the go command's setting in b.env.
func (b *benchmark) setting(name string) string {
	value := ""
	for _, e := range b.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// caches returns new caches, which the next pair removes.
func (f *firstImage) caches() ([]string, error) {
	f.n++
	at := func(n int) string { return filepath.Join(f.dir, fmt.Sprintf("first-%d", n)) }
	if err := os.RemoveAll(at(f.n - 1)); err != nil {
		return nil, err
	}
	return append(f.env, "GOCACHE="+filepath.Join(at(f.n), "go"),
		"XDG_CACHE_HOME="+filepath.Join(at(f.n), "user")), nil
}

// builds compiles the magefile with a plain go build, and the service. (The launcher links it
// without debug info.)
func (f *firstImage) builds() (time.Duration, error) {
	if err := f.fresh("sample-service"); err != nil {
		return 0, err
	}
	env, err := f.caches()
	if err != nil {
		return 0, err
	}
	if _, _, err := f.run(f.init(), f.env...); err != nil { // with the user's own cache
		return 0, err
	}
	magefiles := filepath.Join(f.repo, "magefiles")
	if err := os.Link(filepath.Join(f.dir, mainName), filepath.Join(magefiles, mainName)); err != nil {
		return 0, err
	}
	one, _, err := f.run([]string{"go", "build", "-C", magefiles, "-trimpath", "-o",
		filepath.Join(f.dir, "built"), "magefile.go", mainName}, append(env, "GOWORK=off")...)
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(magefiles); err != nil {
		return 0, err
	}
	two, _, err := f.run(f.goBuild(), env...)
	return one + two, err
}

// image runs the steps of a new user, without the commit.
func (f *firstImage) image() (sum time.Duration, err error) {
	if err := f.fresh("sample-service"); err != nil {
		return 0, err
	}
	env, err := f.caches()
	if err != nil {
		return 0, err
	}
	for _, args := range [][]string{f.init(), {"go", "run", "./magefiles/mage.go", "image", "-test=false"}} {
		elapsed, _, err := f.run(args, env...)
		if err != nil {
			return 0, err
		}
		sum += elapsed
	}
	return sum, nil
}

// ten compares the time of the images of ten programs for two platforms, with nothing changed,
// with that of one go build of all ten for each platform.
func (b *benchmark) ten() error {
	if err := b.fresh("sample-service"); err != nil {
		return err
	}
	for i := range 10 {
		if err := os.CopyFS(filepath.Join(b.repo, "cmd", fmt.Sprintf("service-%d", i)),
			os.DirFS(filepath.Join(b.repo, "cmd", "sample-service"))); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(b.repo, "cmd", "sample-service")); err != nil {
		return err
	}
	for _, args := range [][]string{{"add", "-A"},
		{"-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m", "ten"}} {
		if _, _, err := b.run(append([]string{"git"}, args...)); err != nil {
			return err
		}
	}
	goBuild := func() (sum time.Duration, err error) {
		for _, arch := range []string{"amd64", "arm64"} {
			out := filepath.Join(b.dir, "ten", arch) + string(filepath.Separator)
			elapsed, _, runErr := b.run([]string{"go", "build", "-trimpath", "-buildvcs=true",
				"-ldflags=-s -w", "-o", out, "./cmd/..."}, "GOOS=linux", "GOARCH="+arch)
			sum, err = sum+elapsed, errors.Join(err, runErr)
		}
		return sum, err
	}
	image := func() (time.Duration, error) {
		elapsed, _, err := b.run(append(b.image(), "-platform=linux/amd64,linux/arm64"))
		return elapsed, err
	}
	found, err := b.alternate(goBuild, image)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nwhat\tgo build\tmage image\tratio\tlimit\n")
	fmt.Fprint(w, found.row("ten programs, two platforms, nothing changed", 2))
	return w.Flush()
}
