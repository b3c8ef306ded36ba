package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/base"
	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/reproduce"
	"github.com/thimble-build/thimble/build/report"
)

// ErrDiffers is the error of Reproduce and Rebuild when the second build differs from the
// first; the report says where, and why.
var ErrDiffers = reproduce.ErrDiffers

// Reproduce builds what the output folder's manifest.json lists again, from a clone of its
// commit, in a clean room: another folder, empty caches, another home, time zone, language,
// umask and number of processors. For programs that link a C library it also changes the time,
// if this machine can. It compares the digests and, if they differ, everything down to the
// bytes. Without a manifest.json, the tree is built first.
//
// self is a program that imports build/targets, with its arguments: usually this program. It is
// started as a new process, without any state of this one. The reproduction is also returned
// with ErrDiffers.
func Reproduce(ctx context.Context, o Options, self []string) (c *report.Reproduction, err error) {
	began := time.Now()
	s, err := o.session(ctx)
	if err == nil && base.Signed(s.Config) {
		err = attest.Linked() // the process in the clean room needs it
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(s.Dist, distfolder.ManifestName)); errors.Is(err, fs.ErrNotExist) {
		s.Progress.Notice(s.Config.Dist + " has no manifest.json; building the tree first")
		if _, err := Image(ctx, ImageOptions{Options: o, SkipTests: true}); err != nil {
			return nil, err
		}
	}
	dist, err := distfolder.Open(s.Dist, ".")
	if err != nil {
		return nil, fmt.Errorf("read the output folder: %w", err)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	m, err := dist.Manifest(distfolder.ManifestName)
	if err != nil {
		return nil, err
	}
	own, err := reproduce.OwnSource(s, m.Plan)
	if err != nil {
		return nil, err
	}
	room, err := reproduce.Open(ctx, s, own.Source, o.cleanRoom)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, room.Close()) }()
	g, err := room.Fetch(ctx, s, resolveOnly)
	if err != nil {
		return nil, err
	}
	built, err := room.Build(ctx, s, g, self, nil)
	if err != nil {
		return nil, err
	}
	c, err = room.Compare(ctx, s, built, func(ctx context.Context) (compare.Build, error) {
		first, err := dist.Build(ctx, filepath.Join(s.Config.Dist, distfolder.ManifestName), m)
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
	_, err := Plan(ctx, Options{Config: job.Config, Workdir: job.Workdir, Env: job.Env, Cache: job.Cache,
		Platforms: job.Platforms, Offline: job.Offline})
	return err
}

// Between compares two builds by their manifest.json files and, if they are beside these, by
// the layouts, binaries and documents. a and b are such files, or the folders that contain them,
// relative to Options.Workdir. A difference between the builds is not an error: it is in the
// Comparison.
func Between(ctx context.Context, o Options, a, b string) (*report.Comparison, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	return distfolder.Compare(ctx, s.Path, a, b)
}
