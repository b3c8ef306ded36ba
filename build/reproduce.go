package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/session"
)

// ErrDiffers is the error of Reproduce and Rebuild when the second build is not equal
// to the first; the report says where, and why.
var ErrDiffers = errors.New("not reproduced")

// Comparison is what the comparison of two builds came to.
type Comparison = compare.Report

// Reproduction is the outcome of building something again.
type Reproduction struct {
	*Comparison
	// Revision is the commit that was built, Toolchain the Go that was used.
	Revision  string `json:"revision"`
	Toolchain string `json:"toolchain"`
	// Room is what was not as in the first build.
	Room []string `json:"room"`
	// Sandbox is what kept a stranger's build from everything else on this machine; nil
	// for this repository's own.
	Sandbox *Sandbox `json:"sandbox,omitempty"`
	// Provenance says who vouches for what was built from; Attested how many
	// attestations of the outcome were made. Both are of Rebuild.
	Provenance string `json:"provenance,omitempty"`
	Attested   int    `json:"attested,omitempty"`
	// Elapsed is the time of the whole run.
	Elapsed time.Duration `json:"-"`
}

// Sandbox says which mechanisms kept a stranger's build from the rest of the machine.
type Sandbox struct {
	// Held are the mechanisms that hold on this machine, by a child that tried.
	Held []string `json:"held"`
	// Refused are the others, each with the reason.
	Refused []string `json:"refused,omitempty"`
}

// Reproduce builds what the output folder's manifest.json lists again, from a clone of
// its commit, in a clean room: another folder, empty caches, another home, time zone,
// language, umask and number of processors, and, for programs that are linked to a C
// library, another time, where this machine can. It compares the digests and, where
// they differ, everything down to the bytes. Without a manifest.json, the tree is built
// first.
//
// self is a program, with its arguments, that imports build/targets: usually this one. It is
// started anew, so that nothing of this process is left in it. The reproduction comes with an
// ErrDiffers as well.
func Reproduce(ctx context.Context, o Options, self []string) (c *Reproduction, err error) {
	began := time.Now()
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.Dist, "manifest.json")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		s.Progress.Notice(s.Config.Dist + " has no manifest.json; building the tree first")
		o.SkipTests = true
		if _, err := Image(ctx, o); err != nil {
			return nil, err
		}
	}
	m, err := readManifest(file)
	if err != nil {
		return nil, err
	}
	own, err := reproduce.OwnSource(s, m.Plan)
	if err != nil {
		return nil, err
	}
	room, err := reproduce.Open(own.Source, o.cleanRoom)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, room.Close()) }()
	if err := room.Clone(ctx, s); err != nil {
		return nil, err
	}
	g, err := room.Fetch(ctx, s, resolveOnly)
	if err != nil {
		return nil, err
	}
	built, err := room.Build(ctx, s, g, self, nil)
	if err != nil {
		return nil, err
	}
	c, err = compared(ctx, s, room, built, func(ctx context.Context) (compare.Build, error) {
		first, err := made(filepath.Join(s.Config.Dist, "manifest.json"), file, m)
		if err == nil {
			first.Files, err = own.Generated(ctx, built)
		}
		return first, err
	})
	if c != nil {
		c.Elapsed = time.Since(began)
	}
	return c, err
}

// resolveOnly resolves a plan, for which the go command fetches what a build needs.
func resolveOnly(ctx context.Context, job reproduce.Job) error {
	_, err := Plan(ctx, Options{Config: job.Config, Workdir: job.Workdir, Env: job.Env, Cache: job.Cache, Platforms: job.Platforms, Offline: job.Offline})
	return err
}

// compared is how what was built in a clean room compares with the first build.
func compared(ctx context.Context, s *session.Session, room *reproduce.Room, built reproduce.Built, first func(context.Context) (compare.Build, error)) (*Reproduction, error) {
	m, err := readManifest(built.Manifest)
	if err != nil {
		return nil, err
	}
	report, err := room.Compare(ctx, s, built, first, func() (compare.Build, error) { return made("the clean room", built.Manifest, m) })
	if err != nil {
		return nil, err
	}
	c := &Reproduction{Comparison: report, Revision: room.Commit(), Toolchain: m.Plan.Toolchain.Version, Room: built.Differs}
	return c, differs(report)
}

// differs is the error of a comparison that found a difference.
func differs(c *Comparison) error {
	if c.Same {
		return nil
	}
	cause := ""
	if len(c.Causes) > 0 {
		cause = fmt.Sprintf("; the cause: %s: %s", c.Causes[0].Kind, c.Causes[0].Detail)
	}
	return fmt.Errorf("%w: %s and %s differ%s", ErrDiffers, c.A, c.B, cause)
}
