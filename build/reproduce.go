package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/git"
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
	// Provenance says who vouches for what was built from; Attested how many
	// attestations of the outcome were made. Both are of Rebuild.
	Provenance string `json:"provenance,omitempty"`
	Attested   int    `json:"attested,omitempty"`
	// Elapsed is the time of the whole run.
	Elapsed time.Duration `json:"-"`
}

// Reproduce builds what the output folder's manifest.json lists again, from a clone of
// its commit, in a clean room: another folder, empty caches, another home, time zone,
// language, umask and number of processors, and, for programs that are linked to a C
// library, another time, where this machine can. It compares the digests and, where
// they differ, everything down to the bytes. Without a manifest.json, the tree is built
// first.
//
// again is a program, with its arguments, that calls Room: usually this one. The
// reproduction comes with an ErrDiffers as well.
func Reproduce(ctx context.Context, o Options, again []string) (*Reproduction, error) {
	began := time.Now()
	s, err := settle(o)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.dist, "manifest.json")
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
	p := m.Plan
	if p.Revision == "" {
		return nil, errors.New("reproduce: the build has no commit, so that nobody else can build it; commit the tree, and build it again")
	}
	repo, err := git.Open(filepath.Join(s.Workdir, filepath.FromSlash(s.Config.Dir)), s.Env)
	if err != nil {
		return nil, fmt.Errorf("reproduce: %w", err)
	}
	workdir, err := filepath.Rel(repo.Root, s.Workdir)
	if err != nil {
		return nil, fmt.Errorf("reproduce: %w", err)
	}
	r := &room{
		run: &run{settled: s, began: began}, job: s.Config, commit: p.Revision, from: repo.Root, workdir: filepath.ToSlash(workdir),
		settings: func(string) []string { return s.epoch() }, elsewhere: "a commit that was built and is gone can be found with git reflog",
	}
	if r.job.Source == "" {
		r.job.Source = p.Source // the clone's own remote is a folder
	}
	for _, platform := range p.Platforms {
		r.platforms = append(r.platforms, platform.String())
	}
	c, err := r.reproduce(ctx, again, func(ctx context.Context) (compare.Build, error) {
		b, err := made(filepath.Join(s.Config.Dist, "manifest.json"), file, m)
		if err != nil {
			return b, err
		}
		state, err := repo.State(ctx)
		if err == nil && state.Revision == p.Revision {
			_, b.Files, err = r.files(ctx, repo.Root)
		}
		return b, err
	})
	if c != nil {
		c.Elapsed = time.Since(began)
	}
	return c, err
}

// epoch is SOURCE_DATE_EPOCH, which is asked of a build as Config is.
func (r *settled) epoch() []string {
	if v, ok := r.lookupEnv("SOURCE_DATE_EPOCH"); ok {
		return []string{"SOURCE_DATE_EPOCH=" + v}
	}
	return nil
}

// reproduce builds in the room and compares what came of it with the first build.
func (r *room) reproduce(ctx context.Context, again []string, first func(context.Context) (compare.Build, error)) (c *Reproduction, err error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	file, err := r.build(ctx, again)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(file)
	if err != nil {
		return nil, err
	}
	c = &Reproduction{Revision: r.commit, Toolchain: m.Plan.Toolchain.Version, Room: r.differs}
	err = r.stage("compare", func() (string, error) {
		a, err := first(ctx)
		if err != nil {
			return "", err
		}
		b, err := made("the clean room", file, m)
		if err != nil {
			return "", err
		}
		if b.Files, _, err = r.files(ctx, ""); err != nil {
			return "", err
		}
		if err := r.align(&a, &b); err != nil {
			return "", err
		}
		if c.Comparison, err = compare.Compare(ctx, a, b, filepath.Join(r.dir, "tmp")); err != nil {
			return "", err
		}
		if c.Same {
			return "equal", nil
		}
		return "different", nil
	})
	if err != nil {
		return nil, err
	}
	return c, differs(c.Comparison)
}

// align leaves out of the second build what the first has nothing of, and gives its
// documents the form that attestations have, where those of the first have no other.
func (r *room) align(a, b *compare.Build) error {
	b.Images = slices.DeleteFunc(b.Images, func(y compare.Image) bool {
		return !slices.ContainsFunc(a.Images, func(x compare.Image) bool { return x.Name == y.Name })
	})
	for i := range b.Images {
		for j := range b.Images[i].Platforms {
			documents := b.Images[i].Platforms[j].Documents
			for kind, d := range documents {
				if r.compact {
					var err error
					if documents[kind], err = compact(d); err != nil {
						return fmt.Errorf("read the document %s: %w", kind, err)
					}
				}
			}
		}
	}
	return nil
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

// Between compares two builds by their manifest.json files, and by the layouts, the
// binaries and the documents where they lie beside them. That the builds differ is an
// answer, and no error.
func Between(ctx context.Context, o Options, a, b string) (*Comparison, error) {
	s, err := settle(o)
	if err != nil {
		return nil, err
	}
	var builds [2]compare.Build
	for i, name := range []string{a, b} {
		file := s.abs(name)
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file = filepath.Join(file, "manifest.json")
		}
		m, err := readManifest(file)
		if err != nil {
			return nil, err
		}
		if builds[i], err = made(name, file, m); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp("", "thimble-compare-")
	if err != nil {
		return nil, fmt.Errorf("compare %s: %w", strings.Join([]string{a, b}, " and "), err)
	}
	c, err := compare.Compare(ctx, builds[0], builds[1], tmp)
	return c, errors.Join(err, os.RemoveAll(tmp))
}
