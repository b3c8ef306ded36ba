// Package resolve turns a Config and its repository into a Draft, which is enough to compile, and
// the Draft, with what was found out meanwhile, into the final Plan. It asks the go command for its
// settings and git for the revision, and looks for main packages. It compiles nothing, writes
// nothing and downloads only the toolchain that the module requires.
package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// Start makes the draft. It does not compare the files that go into the images with the
// commit: this happens during the compilation, and Finish makes the final plan of the result. Until
// then the plan is dirty if git says so and the go command will stamp it.
func Start(ctx context.Context, in Input) (*Draft, error) {
	cfg := in.Config
	dir := filepath.Join(in.Workdir, filepath.FromSlash(cfg.Dir))
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if info, statErr := os.Stat(dir); errors.Is(err, os.ErrNotExist) || statErr == nil && !info.IsDir() {
		return nil, fmt.Errorf(
			"find the module: no go.mod in %s; set Config.Dir to the module's folder, or run \"go mod "+
				"init\" there", shown(cfg.Dir))
	}
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	path := modfile.ModulePath(gomod)
	if path == "" {
		return nil, fmt.Errorf("find the module: %s has no module line",
			filepath.Join(shown(cfg.Dir), "go.mod"))
	}
	if err := module.CheckImportPath(path); err != nil { // it is an argument of the go command
		return nil, fmt.Errorf("find the module: %s: %w", filepath.Join(shown(cfg.Dir), "go.mod"), err)
	}

	// git and go do not depend on each other, and each call takes some milliseconds.
	type vcs struct {
		repo  *git.Repo
		state git.State
		err   error
	}
	vcsDone := make(chan vcs, 1)
	go func() {
		repo, err := git.Open(dir, in.Env)
		if err != nil {
			vcsDone <- vcs{err: err}
			return
		}
		state, err := repo.State(ctx)
		vcsDone <- vcs{repo, state, err}
	}()
	gocommand, err := gocmd.Read(ctx, dir, in.Env, in.ForModules...)
	v := <-vcsDone
	if err != nil {
		return nil, err
	}
	if v.err != nil && !errors.Is(v.err, git.ErrNone) {
		return nil, v.err
	}

	if err := gocommand.Fetch(ctx, in.ForModules); err != nil {
		return nil, err
	}

	r := &Draft{Dir: dir, Go: gocommand, repo: v.repo, dist: in.Dist, committed: v.state.Time,
		expanded: in.Expanded, Archives: in.Archives}
	p := &plan.Plan{
		Kit:         in.Kit,
		Module:      plan.Module{Path: path, Dir: filepath.ToSlash(filepath.Clean(shown(cfg.Dir)))},
		Source:      cfg.Source,
		Compression: cfg.Compression,
	}
	r.Plan = p
	if p.Compression == "" {
		p.Compression = plan.Gzip
	}
	if p.Compression != plan.Gzip && p.Compression != plan.Zstd {
		return nil, fmt.Errorf("compression %q is not known; use gzip or zstd", p.Compression)
	}
	if err := r.toolchain(cfg); err != nil {
		return nil, err
	}
	if v.err != nil {
		r.version, p.Build.Stamp = unknown, false
		r.notice("the version is unknown: %v", v.err)
	} else {
		if err := r.fromGit(ctx, v.state, in.Workdir); err != nil {
			return nil, err
		}
	}
	r.version = cmp.Or(cfg.Version, r.version)
	if p.SourceDateEpoch, r.dated, err = epoch(in.Env, v.state); err != nil {
		return nil, err
	}
	if cfg.StableDigests {
		if err := r.mayBeStable(v.state, v.err); err != nil {
			return nil, err
		}
	}
	if p.Build.Stamp && len(v.state.Changed) > 0 {
		r.Reported = v.state.Changed[0]
	}
	if err := r.setDirty(r.Reported, ""); err != nil {
		return nil, err
	}
	if p.Platforms, err = platforms(r.Go, in.Platforms); err != nil {
		return nil, err
	}
	if p.ArchivePlatforms, err = archivePlatforms(r.Go, in.ArchivePlatforms, p.Platforms); err != nil {
		return nil, err
	}
	if cfg.StableDigests {
		if p.InputPlatforms, err = inputPlatforms(r.Go, cfg.Platforms, p.Platforms); err != nil {
			return nil, err
		}
	}
	r.Suite = cmp.Or(cfg.Debian.Suite, debian.DefaultSuite)
	if p.Images, err = r.images(cfg); err != nil {
		return nil, err
	}
	if !in.Unlocked {
		if p.Lock, err = r.readLock(ctx, in.Pin); err != nil {
			return nil, err
		}
		if err := r.cgo(ctx, cfg.CC); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// isBuildTag reports whether a word can be a tag in a build constraint (go/build/constraint).
func isBuildTag(word string) bool {
	return word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '.'
	}) < 0
}

func checkBuildTags(tags []string) error {
	for _, tag := range tags {
		if !isBuildTag(tag) {
			return fmt.Errorf(
				"build tag %q of BuildTags is not letters, digits, '_' and '.'; write each tag as an entry "+
					"of its own", tag)
		}
	}
	return nil
}

func (r *Draft) toolchain(cfg plan.Config) error {
	g := r.Go
	r.Plan.Toolchain = plan.Toolchain{
		Version: g.Version, Experiment: g.Experiment, FIPS140: g.FIPS140, Mod: g.ModMode,
	}
	if g.Work != "" {
		rel, err := filepath.Rel(r.Dir, g.Work)
		if err != nil {
			return fmt.Errorf("find the workspace: %w", err)
		}
		r.Plan.Toolchain.Work = filepath.ToSlash(rel)
	}
	if err := checkBuildTags(cfg.BuildTags); err != nil {
		return err
	}
	tags := slices.Concat(g.Tags, cfg.BuildTags)
	slices.Sort(tags)
	r.Plan.Build = plan.Build{
		Tags:  slices.Compact(tags),
		Stamp: !cfg.Unstamped && !cfg.StableDigests && !g.Unstamped,
	}
	r.ldflags = append([]string{"-s", "-w"}, cfg.LDFlags...)
	if g.Unstamped && !cfg.Unstamped && !cfg.StableDigests {
		r.notice("the binary carries no commit: GOFLAGS has -buildvcs=false")
	}
	return nil
}

// epoch returns SOURCE_DATE_EPOCH (reproducible-builds.org), with set true, else the commit's
// time.
func epoch(env []string, state git.State) (sec int64, set bool, err error) {
	for _, e := range slices.Backward(env) {
		v, ok := strings.CutPrefix(e, "SOURCE_DATE_EPOCH=")
		if !ok || v == "" {
			continue
		}
		sec, err := strconv.ParseInt(v, 10, 64)
		if err != nil || sec < 0 || sec > 253402300799 { // the year 9999, where RFC 3339 ends
			return 0, false, fmt.Errorf(
				"SOURCE_DATE_EPOCH %q is not a number of seconds since 1970; unset it to use the commit's time",
				v)
		}
		return sec, true, nil
	}
	if state.Revision == "" {
		return 0, false, nil
	}
	return state.Time.Unix(), false, nil
}

// shown returns Config.Dir in the form used in errors.
func shown(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}
