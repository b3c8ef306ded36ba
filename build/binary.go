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

// unit is one image for one platform while it goes through the stages.
type unit struct {
	image    plan.Image
	platform plan.Platform
	// archiveOnly marks a unit whose binary goes only into an archive, not into an image.
	archiveOnly bool

	path string // of the binary
	// symbols is the file with the binary's debug symbols, which debuggers find by buildID;
	// both are empty if symbols are not kept.
	symbols *madeFile
	buildID string
	// before returns the usable binary of an earlier run, nil if there is none. It runs at the
	// same time as the compiler, which often leaves the binary unchanged.
	before func() *examined
	*examined

	needs []needs.Need
	assembled
	described
}

func (u *unit) String() string { return u.image.Name + " " + u.platform.String() }

// units returns the images of the plan for every platform, in the plan's order.
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

// archiveOnlyUnits returns the same programs for the platforms that only have archives.
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

// workFolder returns the folder that the compiler writes to. It is outside the output folder,
// which changes only at the end. It is the same for every run, because the go command links
// again if its output is missing. The lock of the output folder protects it.
func (r *run) workFolder() string {
	id := sha256.Sum256([]byte(r.Dist + r.debug.flags()))
	return filepath.Join(r.Cache, "bin", hex.EncodeToString(id[:8]))
}

// trimWork removes the work folders of output folders that were not used for a month.
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

// explainCgo adds to a compiler error the packages that use cgo and were therefore left out.
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

// value caches what make returns, as JSON. It does not use values that another build of thimble
// cached.
func value[T any](r *run, key string, make func() (T, error)) (T, error) {
	return cache.JSON(r.cache, r.cacheVersion+key, make)
}
