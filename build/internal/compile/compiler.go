package compile

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/modsum"
	"github.com/thimble-build/thimble/build/plan"
)

// Compiler compiles the programs of a plan into a folder.
type Compiler struct {
	Go   *gocmd.Go
	Plan *plan.Plan
	// Tree is the working tree, to explain errors.
	Tree golist.Tree
	// Folder is where the binaries are (see Path).
	Folder  string
	Outputs *Outputs
	// Modules checks the linked modules.
	Modules *modsum.Cache
	// Used are the folders of modules that an earlier run compiled.
	Used Folders
	// Notice tells the user something.
	Notice func(string)
}

// Earlier are the binaries at their paths from before the compiler starts. Each function returns
// nil if the binary is of no use.
type Earlier map[string]func() *Binary

// Complete reports whether folder has every program's binary, up to date or not.
func Complete(folder string, programs []artifact.Program) bool {
	for _, p := range programs {
		if _, err := os.Stat(Path(folder, p)); err != nil {
			return false
		}
	}
	return true
}

// Earlier starts in g to examine the binaries that an earlier run left, while the compiler runs:
// the compiler often leaves them unchanged. It skips those that are older than the last edit of
// the source: the compiler replaces them and needs the processor.
func (c *Compiler) Earlier(ctx context.Context, programs []artifact.Program, edited time.Time,
	g *errgroup.Group) Earlier {
	earlier := Earlier{}
	for _, p := range programs {
		file := Path(c.Folder, p)
		examine := sync.OnceValue(func() *Binary {
			info, err := os.Stat(file)
			if err != nil || edited.After(info.ModTime()) || runtime.GOOS == "windows" {
				return nil // on Windows an open file cannot be replaced
			}
			b, err := c.Outputs.examine(c.Plan, p, file, true)
			if err != nil {
				return nil // the compiler makes a new one
			}
			return b
		})
		earlier[file] = examine
		g.Go(func() error {
			if b := examine(); b != nil && !c.Outputs.HashAll {
				// CheckModules uses the result, unless other folders are used now.
				_ = c.Modules.Check(ctx, c.Used.of(LinkedModules(b.Build, c.Plan.Toolchain.Mod)))
			}
			return nil
		})
	}
	return earlier
}

// Compile compiles programs for one platform and examines the binaries, which it returns in the
// order of the programs. It does not check the linked modules: CheckModules does. unchanged says that
// the go command has left all binaries as they were.
func (c *Compiler) Compile(ctx context.Context, programs []artifact.Program,
	earlier Earlier) (binaries []*Binary, unchanged bool, err error) {
	binaries, unchanged = make([]*Binary, len(programs)), true
	todo := make([]int, len(programs)) // indexes of programs
	for i := range programs {
		todo[i] = i
	}
	for len(todo) > 0 {
		next := make([]artifact.Program, len(todo))
		for n, i := range todo {
			next[n] = programs[i]
		}
		left, err := c.run(ctx, next)
		if err != nil {
			return nil, false, err
		}
		var again []int
		for n, i := range todo {
			if binaries[i], err = c.result(ctx, programs[i], left[n], earlier); err != nil {
				return nil, false, err
			}
			if binaries[i] == nil {
				again = append(again, i)
			}
			unchanged = unchanged && left[n] && binaries[i] != nil
		}
		todo = again
	}
	return binaries, unchanged, nil
}

// CheckModules checks the modules that the binaries link, of which the compilers have read the used
// folders. If everything is hashed, it reads all of the modules as they are now. It is called when
// all compilers have ended: a module may change between two platforms.
func (c *Compiler) CheckModules(ctx context.Context, binaries []*Binary, used Folders) error {
	var all []modsum.Module
	seen := map[string]bool{}
	for _, b := range binaries {
		for _, m := range LinkedModules(b.Build, c.Plan.Toolchain.Mod) {
			if key := m.Path + "@" + m.Version; !seen[key] {
				seen[key], all = true, append(all, m)
			}
		}
	}
	if c.Outputs.HashAll {
		return c.Modules.CheckNow(ctx, all...)
	}
	return c.Modules.Check(ctx, used.of(all))
}

// run runs the go command, and reports for each binary whether it was left unchanged.
func (c *Compiler) run(ctx context.Context, programs []artifact.Program) ([]bool, error) {
	before := make([]fs.FileInfo, len(programs))
	for i, p := range programs {
		var err error
		if before[i], err = c.Outputs.linked().Before(Path(c.Folder, p)); err != nil {
			return nil, err
		}
	}
	if err := Build(ctx, c.Go, c.Plan, programs, c.Folder); err != nil {
		return nil, explain(ctx, err, c.Plan, c.Tree, programs)
	}
	left := make([]bool, len(programs))
	for i, p := range programs {
		file := Path(c.Folder, p)
		info, err := os.Lstat(file)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a regular file any more", file)
		}
		if err != nil {
			return nil, fmt.Errorf("read the binary: %w", err)
		}
		// The go command never writes into an existing binary; it replaces the file. If the
		// binary is up to date, it only changes the time of the file.
		left[i] = before[i] != nil && os.SameFile(before[i], info) && before[i].Size() == info.Size()
	}
	return left, nil
}

// result examines a binary after the go command has ended. left says that it existed before. If it
// is not what the linker wrote, result removes it and returns nil.
func (c *Compiler) result(ctx context.Context, program artifact.Program, left bool,
	earlier Earlier) (*Binary, error) {
	file := Path(c.Folder, program)
	if !left {
		return c.Outputs.examine(c.Plan, program, file, false)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the binary: %w", err)
	}
	var b *Binary
	if examine := earlier[file]; examine != nil {
		b = examine()
	}
	if b == nil || !os.SameFile(b.info, info) {
		if b, err = c.Outputs.examine(c.Plan, program, file, true); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			c.Notice(fmt.Sprintf("%s is linked again: %v", program, err))
			return nil, c.Outputs.linked().Remove(file)
		}
	}
	sum, err := b.SHA256()
	if err != nil {
		return nil, err
	}
	if !c.Outputs.linked().Has(file, sum) {
		c.Notice(fmt.Sprintf("%s is linked again: its binary in the cache was changed", program))
		return nil, c.Outputs.linked().Remove(file)
	}
	kept := *b
	kept.info = info // the go command has changed its time
	return &kept, nil
}

// Remember hashes the binaries, so that the next start of the compiler knows what was linked, and
// returns them as Earlier.
func (c *Compiler) Remember(binaries []*Binary) (Earlier, error) {
	earlier := Earlier{}
	for _, b := range binaries {
		sum, err := b.SHA256()
		if err != nil {
			return nil, err
		}
		c.Outputs.linked().Note(b.Path, sum)
		earlier[b.Path] = func() *Binary { return b }
	}
	return earlier, nil
}

// Symbols are the debug symbols of a binary.
type Symbols struct {
	*Output
	// BuildID is the GNU build id of the binary in hex, by which debuggers find its symbols.
	BuildID string
}

// Path returns the path of the symbols below a folder of debug files, where gdb, elfutils and delve
// look for it.
func (s *Symbols) Path() string { return path.Join(".build-id", s.BuildID[:2], s.BuildID[2:]+".debug") }

// Symbols returns the symbols of a binary of this compiler (see writeSymbols).
func (c *Compiler) Symbols(ctx context.Context, b *Binary) (*Symbols, error) {
	var id string
	out, err := c.Outputs.Make(ctx, symbolsPath(b.Path), func() (err error) {
		id, err = writeSymbols(ctx, c.Go, c.Plan, b.Program, b.file)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Symbols{Output: out, BuildID: id}, nil
}
