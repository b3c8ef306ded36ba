package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/materials"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/resolve"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/source"
	"github.com/thimble-build/thimble/build/internal/workers"
	"github.com/thimble-build/thimble/build/plan"
)

// The source that is compared with the commit must be the source that the compiler has read. So
// the stat data of all compiled files is taken before the compiler starts, and again when the
// compiler, the comparison and the tests have ended. (A test may edit a file and restore it.) If
// they differ, or if a file was added to a package, everything runs once more; a second difference
// is an error. The list of files is from the last run; if there is none, the go command lists them
// first. If that list was incomplete, everything also runs once more; this is cheap, because the
// compiler finds everything up to date.

// maxChanges is the limit for changes of a file during a run; with fewer changes the run
// continues.
const maxChanges = 2

// maxCompiled limits how often the compiler is started.
const maxCompiled = 5

// attempt is what one start of the compiler is based on.
type attempt struct {
	draft    *resolve.Draft
	compiler *compile.Compiler
	// lists are those of an earlier run or attempt. before is the stat data of the source,
	// included the state of what the compilers include.
	lists    materials.Lists
	before   source.Snapshot
	included materials.Included
	earlier  compile.Earlier
}

// compiled are the binaries of a final plan.
type compiled struct {
	plan *plan.Plan
	// unstamped says that the go command stamped no commit, although the plan asked for it.
	unstamped bool
	// targets are those of the plan, with the binaries of their programs each.
	targets  []artifact.Target
	binaries [][]*compile.Binary
	found    *findings
	// compiler is that of the binaries, with the final plan.
	compiler compile.Compiler
}

// attempt returns what the compiler starts with.
func (b *builder) attempt(draft *resolve.Draft, lists materials.Lists, before source.Snapshot,
	included materials.Included, earlier compile.Earlier) *attempt {
	g := *draft.Go
	g.CState, g.AssemblyStates = included.C, included.Assembly
	return &attempt{draft: draft, lists: lists, before: before, included: included, earlier: earlier,
		compiler: &compile.Compiler{
			Go: &g, Plan: draft.Plan, Tree: draft.Tree(), Folder: b.Workspace.Folder,
			Outputs: b.Outputs, Modules: b.Workspace.Modules, Used: lists.Folders(),
			Notice: b.Session.Progress.Notice,
		}}
}

// prepare returns the first attempt, without earlier binaries, and how many go commands may run at
// once. It applies the memory limit of this process's control group: the go command sees only the
// machine's memory, and is killed if the group has less. It does not change a -p in GOFLAGS.
func (b *builder) prepare(ctx context.Context, programs []artifact.Program) (*attempt, int, error) {
	g := *b.Draft.Go
	commands, err := BoundMemory(b.Session, &g)
	if err != nil {
		return nil, 0, err
	}
	before, lists, err := b.before(ctx)
	if err != nil {
		return nil, 0, err
	}
	included, err := b.materials().Included(ctx, lists)
	if err != nil {
		return nil, 0, err
	}
	g.Warm = compile.Complete(b.Workspace.Folder, programs)
	return b.attempt(b.Draft.WithGo(&g), lists, before, included, nil), commands, nil
}

// BoundMemory applies a session's memory limit to a go command, and returns how many go commands
// may build at once.
func BoundMemory(s *session.Session, g *gocmd.Go) (int, error) {
	limit, err := s.MemoryLimit()
	if err != nil {
		return 0, err
	}
	commands, processes := workers.Bound(limit, runtime.GOMAXPROCS(0))
	if processes > 0 && g.Parallel == "" {
		g.Parallel = strconv.Itoa(processes)
		s.Progress.Notice(fmt.Sprintf("the memory is limited to %d MiB: the go command runs %s at once",
			limit>>20, progress.Count(processes, "compiler")))
	}
	return commands, nil
}

// before returns the stat data of the files that the last run compiled, and the lists it was made
// from. If there is no last run, the go command lists the files first.
func (b *builder) before(ctx context.Context) (source.Snapshot, materials.Lists, error) {
	from := b.materials()
	lists := materials.Lists{}
	var unknown []plan.Platform
	for _, platform := range from.Platforms() {
		kept, err := from.Kept(platform)
		if err != nil {
			return nil, nil, err
		}
		if kept == nil {
			unknown = append(unknown, platform)
		} else {
			lists[platform] = kept
		}
	}
	if len(unknown) > 0 {
		err := b.Session.Stage("find sources", func() (string, error) {
			found := make([]*materials.List, len(unknown))
			var g errgroup.Group
			for i, platform := range unknown {
				g.Go(func() error {
					found[i], _ = from.List(ctx, platform, nil) // the compiler reports the problem better
					return nil
				})
			}
			_ = g.Wait()
			for i, platform := range unknown {
				if found[i] != nil {
					lists[platform] = found[i]
				}
			}
			return "", context.Cause(ctx)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	var files []string
	for _, l := range lists {
		files = append(files, l.Compiled.Files...)
	}
	before, err := source.Take(files)
	return before, lists, err
}

// compile compiles all platforms and compares the source with the commit. It repeats this until the
// source did not change and the linker got the flags of the plan.
func (b *builder) compile(ctx context.Context, targets []artifact.Target, first *attempt, commands int,
	tested <-chan struct{}) (*compiled, error) {
	stage, changes, from := "compile", 0, b.materials()
	at := first
	for range maxCompiled {
		binaries, found, err := b.compileOnce(ctx, stage, targets, at, commands)
		if err != nil {
			return nil, err
		}
		select {
		case <-tested:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		included, err := from.Included(ctx, found.lists)
		if err != nil {
			return nil, err
		}
		changed, err := at.before.Changed(found.files.Compiled)
		if err != nil {
			return nil, err
		}
		listed, err := found.lists.SameNames(ctx)
		if err != nil {
			return nil, err
		}
		stamp, err := stampOf(binaries)
		if err != nil {
			return nil, err
		}
		final, draft, err := at.draft.Finish(found.with(&stamp))
		if err != nil {
			return nil, err
		}
		if final != nil && changed == "" && listed && included.Equal(at.included) {
			c := &compiled{plan: final, targets: artifact.Targets(final), found: found,
				compiler: *at.compiler}
			for _, t := range c.targets {
				n := len(t.Programs())
				c.binaries, binaries = append(c.binaries, binaries[:n]), binaries[n:]
			}
			c.unstamped = at.draft.Plan.Build.Stamp && !final.Build.Stamp
			c.compiler.Plan = final
			return c, nil
		}
		if draft == nil {
			draft = at.draft
		}
		if _, known := at.before[changed]; known {
			if changes++; changes == maxChanges {
				return nil, fmt.Errorf(
					"compile: %s changes during the build; stop the program that writes it, and run it again",
					b.shown(changed))
			}
		}
		earlier, err := at.compiler.Remember(binaries)
		if err != nil {
			return nil, err
		}
		before, err := source.Take(found.files.Compiled)
		if err != nil {
			return nil, err
		}
		at = b.attempt(draft, found.lists, before, included, earlier)
		stage = "compile again"
	}
	return nil, fmt.Errorf(
		"compile: the source changes during the build; stop the program that writes it, and run it again")
}

// compileOnce compiles the targets for all platforms, and returns the binary of each program, in the
// order of artifact.Programs. The source is examined while the compiler runs.
//
// If the go command cannot list a package, it cannot compile it either, and the compiler's
// message is better. So the error of the listing comes after the compiler's.
func (b *builder) compileOnce(ctx context.Context, stage string, targets []artifact.Target, at *attempt,
	commands int) ([]*compile.Binary, *findings, error) {
	g, gctx := errgroup.WithContext(ctx)
	var found *findings
	var listErr error
	listed := make(chan struct{})
	go func() {
		defer close(listed)
		described := targets
		if !b.Images {
			described = nil
		}
		found, listErr = b.list(gctx, described, at.lists)
	}()
	programs := artifact.Programs(targets)
	binaries := make([]*compile.Binary, len(programs))
	g.SetLimit(commands)
	for _, platform := range at.draft.Plan.Targets() {
		g.Go(func() error {
			return b.Session.Stage(stage+" "+platform.String(), func() (string, error) {
				var mine []artifact.Program
				var indexes []int
				for i, program := range programs {
					if program.Platform == platform {
						mine, indexes = append(mine, program), append(indexes, i)
					}
				}
				made, unchanged, err := at.compiler.Compile(gctx, mine, at.earlier)
				for n, b := range made {
					binaries[indexes[n]] = b
				}
				if unchanged {
					return "up to date", err
				}
				return "", err
			})
		})
	}
	// The context of the listing ends with the compilers, so wait for the listing first, unless
	// a compiler fails.
	<-listed
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if listErr != nil {
		return nil, nil, listErr
	}
	if err := at.compiler.CheckModules(ctx, binaries, found.lists.Folders()); err != nil {
		return nil, nil, err
	}
	return binaries, found, nil
}

// stampOf returns the go command's stamp, which must be the same in all binaries. A program of
// another module has a version of its own.
func stampOf(binaries []*compile.Binary) (compile.Stamp, error) {
	first := compile.ReadStamp(binaries[0].Build)
	for _, b := range binaries[1:] {
		stamp := compile.ReadStamp(b.Build)
		if b.Program.Module != "" {
			stamp.ModuleVersion = first.ModuleVersion
		}
		if stamp != first {
			return first, fmt.Errorf(
				"compile: the go command stamped %s with version %s, and %s with %s; did the tree change "+
					"during the build? run it again",
				binaries[0].Program, first.ModuleVersion, b.Program, stamp.ModuleVersion)
		}
	}
	return first, nil
}

// notice tells the user what may be unexpected in the binaries.
func (b *builder) notice(c *compiled) {
	if c.unstamped {
		b.Session.Progress.Notice("the binary carries no commit: the go command stamped none")
	}
	for i, t := range c.targets {
		for _, binary := range c.binaries[i] {
			if unknown := binary.Report.Unknown; unknown != "" && !b.Extras[unitOf(t)].Toolbox {
				b.Session.Progress.Notice(fmt.Sprintf("%s gets every file that a program can need: %s",
					binary.Program, unknown))
			}
		}
	}
	for _, notice := range cgoNotices(c.plan, c.found.lists, b.Draft.Undecided) {
		b.Session.Progress.Notice(notice)
	}
	b.noticeSource(c.plan)
}

// copiedUnchanged returns an error if a copied file changed after it was compared, or was added.
func (b *builder) copiedUnchanged(ctx context.Context, found *findings) error {
	changed, err := b.materials().ChangedCopy(ctx, found.lists, found.files)
	if err == nil && changed != "" {
		err = fmt.Errorf(
			"assemble: %s changed during the build; stop the program that writes it, and run it again",
			b.shown(changed))
	}
	return err
}

// shown returns an absolute path in the form used in messages.
func (b *builder) shown(file string) string {
	if rel, err := filepath.Rel(b.Session.Workdir, file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}
