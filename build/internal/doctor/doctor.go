// Package doctor checks everything that the targets use on this machine, and says how to fix
// failures. It changes nothing except as documented at [Examine].
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/cgroup"
	"github.com/thimble-build/thimble/build/internal/disk"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/pipeline"
	"github.com/thimble-build/thimble/build/internal/process"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/workers"
	"github.com/thimble-build/thimble/build/report"
)

// Finding is one line of a diagnosis.
type Finding = report.Finding

// Examine checks everything that the targets use: Go, git, the module, the container engine, the
// registries, the signing key or identity, clock, caches, disk and memory. It writes only a file
// in each cache folder, which it removes, and what registry.Capabilities documents. Something
// that is not set up is not a failure. The error is that of ctx, or attest.ErrNotLinked if Config
// names keys or an identity; everything else is a finding.
func Examine(ctx context.Context, s *session.Session) ([]Finding, error) {
	if cfg := s.Config.Release; cfg.Key != "" || cfg.Keyless != nil || len(cfg.TrustKeys) > 0 ||
		cfg.TrustedRoot != "" {
		if err := attest.Linked(); err != nil {
			return nil, err
		}
	}
	d := &examination{Session: s}
	settings := ok("settings", "understood")
	if len(s.Notices) > 0 {
		settings = Finding{Check: "settings", State: report.Note, Detail: strings.Join(s.Notices, "; ")}
	}
	// The module names the repositories, and the go command the cache folders.
	golang := d.golang(ctx)
	module := d.module(ctx)
	checks := []func(context.Context) []Finding{d.git, d.engine, d.registries, d.signing,
		d.protection, d.caches, d.space}
	found := make([][]Finding, len(checks))
	g, gctx := errgroup.WithContext(ctx)
	for i, check := range checks {
		g.Go(func() error {
			found[i] = check(gctx)
			return nil
		})
	}
	_ = g.Wait() // no check returns an error
	if ctx.Err() != nil {
		return nil, fmt.Errorf("look at this machine: %w", context.Cause(ctx))
	}
	return slices.Concat([]Finding{settings, golang}, module, slices.Concat(found...)), nil
}

// examination has the results of earlier checks that later ones need.
type examination struct {
	*session.Session
	gocmd    *gocmd.Go      // nil without one
	resolved *resolve.Draft // nil without a module that can be built
}

func ok(check, detail string) Finding { return Finding{Check: check, State: report.OK, Detail: detail} }

// failed splits an error into the problem and the fix, which follows "; ".
func failed(check string, err error, fix string) Finding {
	detail := err.Error()
	if before, after, found := strings.Cut(detail, "; "); found && fix == "" &&
		!strings.Contains(detail, "\n") {
		detail, fix = before, after
	}
	return Finding{Check: check, State: report.Problem, Detail: detail, Fix: fix}
}

func (d *examination) golang(ctx context.Context) Finding {
	dir := filepath.Join(d.Workdir, filepath.FromSlash(d.Config.Dir))
	var err error
	if d.gocmd, err = gocmd.Read(ctx, dir, d.Env, d.ForModules()...); err != nil {
		return failed("go", d.Unfetched(nil, err), "")
	}
	return ok("go", d.gocmd.Version+" in "+d.gocmd.Root)
}

// module resolves the plan, and looks for modules that are not downloaded.
func (d *examination) module(ctx context.Context) []Finding {
	if d.gocmd == nil {
		return nil
	}
	var err error
	if d.resolved, err = resolve.Start(ctx, pipeline.ResolveInput(d.Session)); err != nil {
		return []Finding{failed("module", d.Unfetched(d.gocmd, err), "")}
	}
	p := d.resolved.Plan
	var names []string
	for _, img := range p.Images {
		names = append(names, img.Name)
	}
	found := []Finding{ok("module", fmt.Sprintf("%s %s: %s", p.Module.Path, p.Version,
		strings.Join(names, ", ")))}
	for _, n := range d.resolved.Notices {
		f := Finding{Check: "module", State: report.Note, Detail: n}
		if what, fix, ok := strings.Cut(n, "; run git fetch"); ok {
			f.Detail, f.Fix = what, "git fetch"+fix
		}
		found = append(found, f)
	}
	if p.Toolchain.Mod == "vendor" {
		return found
	}
	missing, err := d.gocmd.Missing()
	if err != nil {
		return append(found, failed("modules", err, ""))
	}
	if n := len(missing); n > 0 {
		f := Finding{Check: "modules", State: report.Note, Detail: progress.Count(n, "module") +
			" will be fetched: " + strings.Join(missing[:min(n, 5)], ", "), Fix: "go mod download"}
		if n > 5 {
			f.Detail += " …"
		}
		if d.Offline {
			f.State, f.Detail = report.Problem,
				strings.Replace(f.Detail, "will be fetched", "cannot be fetched with -offline", 1)
		}
		found = append(found, f)
	}
	return found
}

func (d *examination) git(ctx context.Context) []Finding {
	out, err := process.Output(ctx, process.Command{Args: []string{"git", "--version"},
		Dir: d.Workdir, Env: d.Env})
	if err != nil {
		return []Finding{{Check: "git", State: report.Problem,
			Detail: "there is no git: versions are unknown, and nothing can be released",
			Fix:    "install git from https://git-scm.com/downloads and put it into PATH"}}
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(out)), "git version ")
	repo, err := git.Open(filepath.Join(d.Workdir, filepath.FromSlash(d.Config.Dir)), d.Env)
	if errors.Is(err, git.ErrNone) {
		return []Finding{{Check: "git", State: report.Note,
			Detail: version + ", and no repository: versions are unknown",
			Fix:    "git init && git add -A && git commit"}}
	}
	var state git.State
	if err == nil {
		state, err = repo.State(ctx)
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "dubious ownership"):
		return []Finding{{Check: "git", State: report.Problem,
			Detail: "the repository belongs to another user",
			Fix:    "git config --global --add safe.directory " + repo.Root}}
	case err != nil:
		return []Finding{failed("git", err, "")}
	case state.Revision == "":
		return []Finding{{Check: "git", State: report.Note,
			Detail: version + ", and no commit yet: versions are unknown", Fix: "git add -A && git commit"}}
	case len(state.Changed) > 0:
		return []Finding{{Check: "git", State: report.Note,
			Detail: version + "; the tree differs from the commit: " + state.Changed[0], Fix: "git status"}}
	}
	return []Finding{ok("git", version+", at "+state.Revision[:min(12, len(state.Revision))])}
}

func (d *examination) engine(ctx context.Context) []Finding {
	engine, err := publish.AnsweringEngine(ctx, d.Session)
	if err != nil {
		what, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "find a container engine: "),
			"; start Docker")
		return []Finding{{Check: "engine", State: report.Note,
			Detail: what + "; only -load and running an image here need one",
			Fix:    "start Docker, Podman or nerdctl"}}
	}
	return []Finding{ok("engine", engine.Name+" "+engine.Version)}
}

// caches checks the folders that make the next run fast.
func (d *examination) caches(context.Context) []Finding {
	const most = 100_000 // maximum number of files that are counted
	type folder struct{ name, dir, fix string }
	folders := []folder{{"cache", d.Cache, "set XDG_CACHE_HOME to a writable folder"}}
	if d.gocmd != nil {
		for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
			folders = append(folders, folder{name, d.gocmd.Setting(name), "go env -w " + name + "=FOLDER"})
		}
	}
	found := make([]Finding, len(folders))
	var g errgroup.Group
	for i, f := range folders {
		g.Go(func() error {
			if err := writable(f.dir); err != nil {
				found[i] = failed(f.name, fmt.Errorf("%s cannot be written: %w", f.dir, err), f.fix)
				if f.name == "GOMODCACHE" { // enough if it contains everything
					found[i].State = report.Note
				}
				return nil
			}
			size, complete, err := disk.Size(f.dir, most)
			if err != nil {
				found[i] = failed(f.name, err, f.fix)
				return nil
			}
			text := megabytes(size)
			if !complete {
				text = "more than " + text
			}
			found[i] = ok(f.name, text+" in "+f.dir)
			return nil
		})
	}
	_ = g.Wait() // no check returns an error
	return found
}

// writable makes a file in the folder, or in the nearest parent that exists.
func writable(dir string) error {
	f, err := os.CreateTemp(disk.Existing(dir), ".thimble-doctor-*")
	if err != nil {
		if file := new(os.PathError); errors.As(err, &file) {
			return file.Err
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// The space that a run needs: some binaries, their layers, and the go command's work.
const (
	leastSpace = 512 << 20
	goodSpace  = 2 << 30
)

// space checks the disk space for all output, and the memory.
func (d *examination) space(context.Context) []Finding {
	var found []Finding
	for _, f := range []struct{ name, dir string }{{"dist", d.Dist}, {"cache", d.Cache},
		{"temporary files", d.temporary()}} {
		free, err := disk.Free(disk.Existing(f.dir))
		finding := ok("disk", fmt.Sprintf("%s free for %s", megabytes(free), f.name))
		switch {
		case err != nil:
			finding = failed("disk", err, "")
		case free < goodSpace:
			finding.State, finding.Fix = report.Note,
				"free some space: go clean -cache removes what Go has compiled, mage clean removes dist"
			if free < leastSpace {
				finding.State = report.Problem
			}
		}
		if !slices.ContainsFunc(found, func(other Finding) bool {
			before, _, _ := strings.Cut(other.Detail, " free for ")
			now, _, _ := strings.Cut(finding.Detail, " free for ")
			return before == now // usually the same file system
		}) {
			found = append(found, finding)
		}
	}
	limit, err := cgroup.MemoryLimit(os.DirFS("/"))
	if err != nil {
		return append(found, failed("memory", err, ""))
	}
	if limit == 0 {
		return found
	}
	commands, processes := workers.Bound(limit, runtime.GOMAXPROCS(0))
	memory := ok("memory", fmt.Sprintf("%s for this container: %s at once", megabytes(limit),
		progress.Count(commands*cmp.Or(processes, runtime.GOMAXPROCS(0)), "compiler")))
	if limit < workers.LeastMemory {
		memory.State, memory.Fix = report.Note,
			fmt.Sprintf("give it %s or more: the linker of a large service needs that",
				megabytes(workers.LeastMemory))
	}
	return append(found, memory)
}

func (d *examination) temporary() string {
	for _, name := range []string{"GOTMPDIR", "TMPDIR"} {
		if dir, _ := d.LookupEnv(name); dir != "" {
			return dir
		}
	}
	return os.TempDir()
}

func megabytes(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

// repositories returns the repositories of the images, by the images' names.
func (d *examination) repositories() []string {
	var all []string
	if d.resolved == nil {
		return nil
	}
	for _, img := range d.resolved.Plan.Images {
		if img.Repository != "" {
			all = append(all, img.Repository)
		}
		for _, prefix := range d.Config.Release.Repositories {
			all = append(all, path.Join(prefix, img.Name))
		}
	}
	return all
}
