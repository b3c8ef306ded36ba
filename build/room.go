package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/offline"
	"github.com/thimble-build/thimble/build/internal/process"
)

// RoomVariable names a file in the environment of a program that is to call Room: it is
// started anew by Reproduce, so that nothing of the first process is left in it.
const RoomVariable = "THIMBLE_ROOM"

// roomJob is what the process in a clean room is told.
type roomJob struct {
	Config    Config
	Workdir   string
	Cache     string
	Platforms []string
	Offline   bool
}

// Room makes the images that the file of RoomVariable asks for, in this process's own
// environment. It is the part of Reproduce that runs in a process of its own.
func Room(ctx context.Context, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read what to build: %w", err)
	}
	// What is started from here is in no room of its own.
	if err := os.Unsetenv(RoomVariable); err != nil {
		return err
	}
	var job roomJob
	if err := json.Unmarshal(b, &job); err != nil {
		return fmt.Errorf("read what to build: %w", err)
	}
	_, err = Image(ctx, Options{
		Config: job.Config, Workdir: job.Workdir, Cache: job.Cache, Platforms: job.Platforms, Offline: job.Offline, SkipTests: true,
	})
	return err
}

// room is a folder in which everything is new: the clone, the caches, the home.
type room struct {
	*run
	dir string
	// job is what is built, commit from where.
	job    Config
	commit string
	from   string // a URL, or a folder
	origin string // the URL of the remote
	// elsewhere is what to do when the source cannot be had.
	elsewhere string
	// shallow asks for a clone without history.
	shallow bool
	// workdir is the working directory relative to the repository's root.
	workdir   string
	platforms []string
	// settings gives the environment that the plan asks for, for a module's folder.
	settings func(module string) []string
	// compact says that the first build's documents are those of attestations.
	compact bool
	// differs is what is not as it was, for a reader.
	differs []string
}

// roomSettings are set over a room's environment by tests.
var roomSettings []string

// open makes the folder. close removes it.
func (r *room) open() (err error) {
	if r.dir, err = os.MkdirTemp("", "thimble-reproduce-"); err != nil {
		return fmt.Errorf("make a clean room: %w", err)
	}
	if r.dir, err = filepath.EvalSymlinks(r.dir); err != nil {
		return fmt.Errorf("make a clean room: %w", err)
	}
	for _, name := range []string{"home", "tmp", "cache"} {
		if err := os.Mkdir(filepath.Join(r.dir, name), 0o755); err != nil {
			return errors.Join(fmt.Errorf("make a clean room: %w", err), r.close())
		}
	}
	return nil
}

func (r *room) close() error {
	if r.dir == "" {
		return nil
	}
	// The go command makes the folders of modules read-only.
	err := filepath.WalkDir(filepath.Join(r.dir, "modules"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what cannot be walked cannot be removed either, and that says why
		}
		return os.Chmod(path, 0o755)
	})
	if err = errors.Join(err, os.RemoveAll(r.dir)); err != nil {
		return fmt.Errorf("remove the clean room: %w", err)
	}
	return nil
}

func (r *room) source() string { return filepath.Join(r.dir, "another", "place") }
func (r *room) module(source string) string {
	return filepath.Join(source, filepath.FromSlash(r.workdir), filepath.FromSlash(r.job.Dir))
}

// build clones the source, fills the module cache with what the build needs, and
// builds with nothing else. It returns the manifest.json that came of it.
func (r *room) build(ctx context.Context, again []string) (string, error) {
	fetched := filepath.Join(r.dir, "fetched")
	err := r.stage("fetch the source", func() (string, error) {
		if strings.Contains(r.from, "://") {
			if err := r.reach("fetch the source "+r.from, r.from); err != nil {
				return "", err
			}
		}
		err := git.Clone(ctx, git.CloneInput{From: r.from, To: fetched, Commit: r.commit, Shallow: r.shallow, Origin: r.origin, Env: r.Env})
		if err != nil {
			return "", fmt.Errorf("%w; %s", err, r.elsewhere)
		}
		return "", git.Clone(ctx, git.CloneInput{From: fetched, To: r.source(), Commit: r.commit, Origin: r.origin, Env: r.Env})
	})
	if err != nil {
		return "", err
	}
	var g *gocmd.Go
	err = r.stage("fetch toolchain and modules", func() (string, error) {
		var err error
		if g, err = r.fetch(ctx, fetched); err != nil {
			return "", err
		}
		return g.Version, os.RemoveAll(fetched)
	})
	if err != nil {
		return "", err
	}
	err = r.stage("build in the clean room", func() (string, error) { return "", r.child(ctx, g, again) })
	if err != nil {
		return "", err
	}
	return filepath.Join(r.source(), filepath.FromSlash(r.workdir), filepath.FromSlash(r.job.Dist), "manifest.json"), nil
}

// fetch lists what is compiled, as the user, so that the go command fetches the
// toolchain and the modules with the user's own settings and credentials.
func (r *room) fetch(ctx context.Context, source string) (*gocmd.Go, error) {
	module := r.module(source)
	user, err := gocmd.Read(ctx, filepath.Dir(r.dir), withoutSettings(r.Env))
	if err != nil {
		return nil, err
	}
	env := slices.Concat(user.Environment(), user.CEnvironment(), r.settings(module))
	g, err := gocmd.Read(ctx, module, env)
	if err != nil {
		return nil, fmt.Errorf("%w; the go command takes toolchains from GOPROXY, and checks them with GOSUMDB: neither may be off, or give it the toolchain in PATH", err)
	}
	_, err = Plan(ctx, Options{
		Config: r.job, Workdir: filepath.Join(source, filepath.FromSlash(r.workdir)), Env: env, Cache: filepath.Join(r.dir, "cache", "fetch"),
		Platforms: r.platforms, Offline: r.Offline,
	})
	return g, err
}

// withoutSettings is the user's environment without thimble's and Go's settings for
// what is built: those that say where modules come from stay.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GOFLAGS", "GOTOOLCHAIN", "GOEXPERIMENT", "GOFIPS140", "GOWORK", "GOOS", "GOARCH", "GOAMD64", "GOARM", "GOARM64",
			"GO386", "GOPPC64", "GORISCV64", "CGO_ENABLED":
			return true
		}
		return strings.HasPrefix(name, "THIMBLE_")
	})
}

// kept are the user's variables that a process cannot do without, or that reach what
// Config.Before may need.
var kept = []string{
	"PATH", "PATHEXT", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "NUMBER_OF_PROCESSORS",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

// environment is the whole of that of the clean room.
func (r *room) environment(g *gocmd.Go) []string {
	var env []string
	for _, e := range g.UserEnv() {
		if name, _, _ := strings.Cut(e, "="); slices.Contains(kept, name) {
			env = append(env, e)
		}
	}
	env = append(env, g.CEnvironment()...)
	zone, language := "Asia/Kathmandu", "tr_TR.UTF-8"
	if v, _ := r.lookupEnv("TZ"); v == zone {
		zone = "America/St_Johns"
	}
	if v, _ := r.lookupEnv("LANG"); v == language {
		language = "C"
	}
	processors := fmt.Sprint(runtime.GOMAXPROCS(0) + 1)
	below := func(name string) string { return filepath.Join(r.dir, name) }
	modules := filepath.ToSlash(filepath.Join(g.Setting("GOMODCACHE"), "cache", "download"))
	proxy := url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(modules, "/")}
	env = append(env,
		"HOME="+below("home"), "USERPROFILE="+below("home"), "XDG_CACHE_HOME="+below("cache"), "LOCALAPPDATA="+below("cache"),
		"TMPDIR="+below("tmp"), "TMP="+below("tmp"), "TEMP="+below("tmp"),
		"TZ="+zone, "LANG="+language, "LC_ALL="+language, "GOMAXPROCS="+processors,
		"GOENV=off", "GOPATH="+below("gopath"), "GOMODCACHE="+below("modules"), "GOCACHE="+below("gocache"),
		// All that is needed was fetched and verified, and is verified again with go.sum.
		"GOPROXY="+proxy.String(), "GOSUMDB=off",
	)
	if r.Offline { // for what Config.Before starts
		env = append(offline.Env(env, "off"), "GOPROXY="+proxy.String())
	}
	env = append(env, r.settings(r.module(r.source()))...)
	r.differs = []string{"folder", "HOME", "TZ=" + zone, "LANG=" + language, "GOMAXPROCS=" + processors, "empty caches of Go and thimble"}
	return append(env, roomSettings...)
}

// child builds in a process of its own.
func (r *room) child(ctx context.Context, g *gocmd.Go, again []string) error {
	job, err := json.Marshal(roomJob{
		Config: r.job, Workdir: filepath.Join(r.source(), filepath.FromSlash(r.workdir)), Cache: filepath.Join(r.dir, "cache", "thimble"), Platforms: r.platforms, Offline: r.Offline,
	})
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, "job.json")
	if err := os.WriteFile(file, job, 0o600); err != nil {
		return err
	}
	env := append(r.environment(g), RoomVariable+"="+file)
	args := r.vary(again)
	err = process.Run(ctx, process.Command{Args: args, Dir: filepath.Join(r.source(), filepath.FromSlash(r.workdir)), Env: env})
	if failed := new(process.Error); errors.As(err, &failed) && failed.Stderr != "" {
		return fmt.Errorf("build in the clean room: %s", strings.TrimPrefix(failed.Stderr, "thimble: "))
	}
	return err
}

// vary sets what an environment cannot: the umask, and the clock of programs that
// are linked to a C library, such as git and what Config.Before starts.
func (r *room) vary(again []string) []string {
	if runtime.GOOS == "windows" {
		return again
	}
	if sh, err := exec.LookPath("sh"); err == nil {
		again = append([]string{sh, "-c", `umask 0037 && exec "$@"`, "sh"}, again...)
		r.differs = append(r.differs, "umask 0037")
	}
	if faketime, err := exec.LookPath("faketime"); err == nil && runtime.GOOS == "linux" {
		again = append([]string{faketime, "-f", "+400d"}, again...)
		r.differs = append(r.differs, "clock +400 days")
	}
	return again
}

// files are those of the clean room that no commit has, and the same files of a folder;
// nil of a folder "".
func (r *room) files(ctx context.Context, other string) (ours, theirs map[string][]byte, err error) {
	repo, err := git.Open(r.source(), r.Env)
	if err != nil {
		return nil, nil, err
	}
	state, err := repo.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	dist := filepath.ToSlash(filepath.Join(r.workdir, r.job.Dist))
	ours = map[string][]byte{}
	if other != "" {
		theirs = map[string][]byte{}
	}
	for _, name := range state.Unclean {
		name = strings.TrimSuffix(name, "/")
		if name == dist || strings.HasPrefix(name, dist+"/") {
			continue
		}
		if err := collect(r.source(), name, ours); err != nil {
			return nil, nil, fmt.Errorf("read what the build generated: %w", err)
		}
		if other == "" {
			continue
		}
		if err := collect(other, name, theirs); err != nil {
			return nil, nil, fmt.Errorf("read what the build generated: %w", err)
		}
	}
	return ours, theirs, nil
}

// The sizes up to which generated files are looked at.
const (
	maxGenerated     = 2000
	maxGeneratedSize = 4 << 20
)

// collect reads a file, or the files of a folder, below a root.
func collect(root, name string, into map[string][]byte) error {
	return filepath.WalkDir(filepath.Join(root, filepath.FromSlash(name)), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() || len(into) >= maxGenerated {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() > maxGeneratedSize {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		into[filepath.ToSlash(rel)], err = os.ReadFile(path)
		return err
	})
}
