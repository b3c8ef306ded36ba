package build

import (
	"context"
	"crypto/sha1" // SPDX 2.3 clause 8.4 requires it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/plan"
)

// unit is one image for one platform on its way through the stages.
type unit struct {
	image    plan.Image
	platform plan.Platform

	path    string // of the binary
	size    int64
	sha256  string // hex
	info    *debug.BuildInfo
	needs   []needs.Need
	unknown string // why the needs are everything

	assembled
	described
}

func (u *unit) String() string { return u.image.Name + " " + u.platform.String() }

// units are the images of the plan for every platform, in the plan's order.
func (r *run) units() []*unit {
	p := r.resolved.Plan
	units := make([]*unit, 0, len(p.Images)*len(p.Platforms))
	for _, img := range p.Images {
		for _, platform := range p.Platforms {
			units = append(units, &unit{image: img, platform: platform})
		}
	}
	return units
}

// workFolder is where the compiler writes: outside the output folder, which
// changes only at the end, and the same for every run, because the go command
// links again if its output has gone. The lock of the output folder covers it.
func (r *run) workFolder() string {
	id := sha256.Sum256([]byte(r.dist))
	return filepath.Join(r.Cache, "bin", hex.EncodeToString(id[:8]))
}

// compile compiles the images for one platform and examines what comes out.
func (r *run) compile(ctx context.Context, platform plan.Platform, units []*unit) error {
	dir := r.workFolder()
	err := r.stage("compile "+platform.String(), func() (string, error) {
		images := make([]plan.Image, len(units))
		for i, u := range units {
			images[i] = u.image
		}
		err := compile.Build(ctx, r.resolved.Go, r.resolved.Plan, platform, images, dir)
		return "", r.explainCgo(ctx, err, platform, images)
	})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, u := range units {
		g.Go(func() error {
			u.path = compile.Path(dir, u.image, platform)
			return r.examine(ctx, u)
		})
	}
	return g.Wait()
}

// explainCgo adds the packages that are written with cgo to the error of a
// compiler that did not get to see them.
func (r *run) explainCgo(ctx context.Context, err error, platform plan.Platform, images []plan.Image) error {
	refused := new(compile.Error)
	if !errors.As(err, &refused) {
		return err
	}
	for _, img := range images {
		packages, listErr := r.resolved.Cgo(ctx, platform, img.Package)
		if listErr != nil || len(packages) == 0 {
			continue
		}
		return fmt.Errorf("%w\n%s is written with cgo, and an image on scratch has no C library; "+
			"replace that package, or exclude it with a build tag", err, strings.Join(packages, ", "))
	}
	return err
}

// examine proves the binary and reads from it what the later stages need.
func (r *run) examine(ctx context.Context, u *unit) error {
	f, err := os.Open(u.path)
	if err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	defer f.Close() // only read from
	if u.info, err = compile.Prove(f, r.resolved.Plan, u.image, u.platform); err != nil {
		return err
	}
	h := sha256.New()
	if u.size, err = io.Copy(h, f); err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	u.sha256 = hex.EncodeToString(h.Sum(nil))
	report, err := value(r, "needs-"+u.sha256, func() (needs.Report, error) { return needs.Scan(f, u.size) })
	if err != nil {
		return fmt.Errorf("find what %s needs: %w", u, err)
	}
	u.unknown, u.needs = report.Unknown, report.Apply(u.image.Include, u.image.Exclude)
	return ctx.Err()
}

// digests are what SPDX and CycloneDX want of a file besides its SHA-256, in hex.
type digests struct{ SHA1, SHA512 string }

func (r *run) digests(u *unit) (digests, error) {
	return value(r, "digests-"+u.sha256, func() (digests, error) {
		f, err := os.Open(u.path)
		if err != nil {
			return digests{}, fmt.Errorf("read the binary: %w", err)
		}
		defer f.Close() // only read from
		h1, h512 := sha1.New(), sha512.New()
		if _, err := io.Copy(io.MultiWriter(h1, h512), f); err != nil {
			return digests{}, fmt.Errorf("read the binary: %w", err)
		}
		return digests{hex.EncodeToString(h1.Sum(nil)), hex.EncodeToString(h512.Sum(nil))}, nil
	})
}

// value keeps what make returns in the cache, as JSON. What was kept by another
// build of thimble itself is not taken.
func value[T any](r *run, key string, make func() (T, error)) (T, error) {
	var v T
	fresh := false
	b, err := r.cache.Value(r.salt+key, func() ([]byte, error) {
		var err error
		if v, err = make(); err != nil {
			return nil, err
		}
		fresh = true
		return json.Marshal(v)
	})
	if err != nil || fresh {
		return v, err
	}
	return v, json.Unmarshal(b, &v)
}
