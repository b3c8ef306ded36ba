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
	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/internal/session"
)

// ErrDiffers is the error of Reproduce and Rebuild when the second build differs from the
// first; the report says where, and why.
var ErrDiffers = errors.New("not reproduced")

// Comparison is the result of comparing two builds.
type Comparison = compare.Report

// Reproduction is the outcome of building again.
type Reproduction struct {
	*Comparison
	// Revision is the commit that was built. Toolchain is the Go version that was used.
	Revision  string `json:"revision"`
	Toolchain string `json:"toolchain"`
	// Room lists what differed from the first build's environment.
	Room []string `json:"room"`
	// Sandbox isolated a build of foreign code from this machine; nil for a build of this
	// repository.
	Sandbox *Sandbox `json:"sandbox,omitempty"`
	// Provenance says who signed the provenance of the build. Attested is how many attestations
	// of the outcome were made. Both are only set by Rebuild.
	Provenance string `json:"provenance,omitempty"`
	Attested   int    `json:"attested,omitempty"`
	// Elapsed is the time of the whole run.
	Elapsed time.Duration `json:"-"`
}

// Sandbox says which mechanisms isolated a build of foreign code from this machine.
type Sandbox struct {
	// Held are the mechanisms that work on this machine; a child process tested them.
	Held []string `json:"held"`
	// Refused are the other mechanisms, each with the reason.
	Refused []string `json:"refused,omitempty"`
}

// Reproduce builds what the output folder's manifest.json lists again, from a clone of its
// commit, in a clean room: another folder, empty caches, another home, time zone, language,
// umask and number of processors. For programs that link a C library it also changes the time,
// if this machine can. It compares the digests and, if they differ, everything down to the
// bytes. Without a manifest.json, the tree is built first.
//
// self is a program that imports build/targets, with its arguments: usually this program. It is
// started as a new process, without any state of this one. The reproduction is also returned
// with ErrDiffers.
func Reproduce(ctx context.Context, o Options, self []string) (c *Reproduction, err error) {
	began := time.Now()
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(s.Dist, manifestName)); errors.Is(err, fs.ErrNotExist) {
		s.Progress.Notice(s.Config.Dist + " has no manifest.json; building the tree first")
		o.SkipTests = true
		if _, err := Image(ctx, o); err != nil {
			return nil, err
		}
	}
	dist, err := distfolder.Open(s.Dist, ".")
	if err != nil {
		return nil, fmt.Errorf("read the output folder: %w", err)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	m, err := readManifest(dist, manifestName)
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
		first, err := made(ctx, filepath.Join(s.Config.Dist, manifestName), dist, m)
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

// resolveOnly resolves a plan; during this the go command downloads what a build needs.
func resolveOnly(ctx context.Context, job reproduce.Job) error {
	_, err := Plan(ctx, Options{Config: job.Config, Workdir: job.Workdir, Env: job.Env, Cache: job.Cache, Platforms: job.Platforms, Offline: job.Offline})
	return err
}

// compared compares what was built in a clean room with the first build.
func compared(ctx context.Context, s *session.Session, room *reproduce.Room, built reproduce.Built, first func(context.Context) (compare.Build, error)) (_ *Reproduction, err error) {
	dist, err := room.Output()
	if err != nil {
		return nil, fmt.Errorf("read what the build made: %w", err)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	m, err := readManifest(dist, manifestName)
	if err != nil {
		return nil, err
	}
	report, err := room.Compare(ctx, s, built, first, func() (compare.Build, error) { return made(ctx, "the clean room", dist, m) })
	if err != nil {
		return nil, err
	}
	c := &Reproduction{Comparison: report, Revision: room.Commit(), Toolchain: m.Plan.Toolchain.Version, Room: built.Differs}
	return c, differs(report)
}

// differs returns the error for a comparison that found a difference.
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
