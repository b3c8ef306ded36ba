package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/compile"
	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/needs"
	"github.com/thimble-build/thimble/build/plan"
)

// unit is one image for one platform on its way through the stages.
type unit struct {
	image    plan.Image
	platform plan.Platform
	// archiveOnly is a unit whose binary goes into an archive, and into no image.
	archiveOnly bool

	path string // of the binary
	// symbols is the file with the binary's debug symbols, found by the build id; nil and
	// empty where they are not kept.
	symbols *madeFile
	buildID string
	// before is the binary as an earlier run left it, nil if there is none that
	// could be used; it is found out beside the compiler, which often leaves the
	// binary alone.
	before func() *examined
	*examined

	needs []needs.Need
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

// archiveOnlyUnits are the same programs for the platforms that have archives alone.
func (r *run) archiveOnlyUnits() []*unit {
	p := r.resolved.Plan
	var units []*unit
	for _, img := range p.Images {
		for _, platform := range p.ArchivePlatforms {
			units = append(units, &unit{image: img, platform: platform, archiveOnly: true})
		}
	}
	return units
}

// workFolder is where the compiler writes: outside the output folder, which
// changes only at the end, and the same for every run, because the go command
// links again if its output has gone. The lock of the output folder covers it.
func (r *run) workFolder() string {
	id := sha256.Sum256([]byte(r.Dist + r.debug.flags()))
	return filepath.Join(r.Cache, "bin", hex.EncodeToString(id[:8]))
}

// trimWork removes the work folders of output folders that nobody has used for a
// month.
func (r *run) trimWork() error {
	now := time.Now()
	if err := os.Chtimes(r.workFolder(), now, now); err != nil {
		return err
	}
	folders, err := os.ReadDir(filepath.Dir(r.workFolder()))
	if err != nil {
		return err
	}
	for _, d := range folders {
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(info.ModTime()) < 30*24*time.Hour {
			continue
		}
		if err == nil {
			err = os.RemoveAll(filepath.Join(filepath.Dir(r.workFolder()), d.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explainCgo adds the packages that are written with cgo to the error of a
// compiler that did not get to see them.
func (r *run) explainCgo(ctx context.Context, err error, platform plan.Platform, images []plan.Image) error {
	refused := new(compile.Error)
	if !errors.As(err, &refused) {
		return err
	}
	for _, img := range images {
		if img.Cgo {
			continue
		}
		packages, listErr := golist.CgoPackages(ctx, r.resolved.Tree(), platform, img.Package)
		if listErr != nil || len(packages) == 0 {
			continue
		}
		return fmt.Errorf("%w\n%s is written with cgo, and image %s is compiled without it; "+
			"choose a base with a C library, such as distroless/base, and set Cgo, or replace that package, or exclude it with a build tag",
			err, strings.Join(packages, ", "), img.Name)
	}
	return err
}

// value keeps what make returns in the cache, as JSON. What was kept by another
// build of thimble itself is not taken.
func value[T any](r *run, key string, make func() (T, error)) (T, error) {
	return cache.JSON(r.cache, r.cacheVersion+key, make)
}
