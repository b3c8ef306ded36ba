package reproduce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/report"
)

// ErrDiffers is the error of Compare if the second build differs from the first; the report says
// where, and why.
var ErrDiffers = errors.New("not reproduced")

// Compare compares the first build, which first reads, with the build in the clean room. It omits
// what the first does not have. The outcome is also returned with ErrDiffers.
func (r *Room) Compare(ctx context.Context, s *session.Session, built Built,
	first func(context.Context) (compare.Build, error)) (_ *report.Reproduction, err error) {
	dist, err := r.Output()
	if err != nil {
		return nil, fmt.Errorf("read the result of the build: %w", err)
	}
	defer func() { err = errors.Join(err, dist.Close()) }()
	m, err := dist.Manifest(distfolder.ManifestName)
	if err != nil {
		return nil, err
	}
	c := &report.Reproduction{Revision: r.Commit(), Toolchain: m.Plan.Toolchain.Version, Room: built.Differs}
	err = s.Stage("compare", func() (string, error) {
		a, err := first(ctx)
		if err != nil {
			return "", err
		}
		b, err := dist.Build(ctx, "the clean room", m)
		if err != nil {
			return "", err
		}
		if c.Comparison, err = r.compare(ctx, a, b, built); err != nil {
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

// compare compares the first build a with the build b in the clean room.
func (r *Room) compare(ctx context.Context, a, b compare.Build,
	built Built) (_ *report.Comparison, err error) {
	if b.Files, err = generatedContent(r.layout, built.Generated); err != nil {
		return nil, err
	}
	b.Images = slices.DeleteFunc(b.Images, func(y compare.Image) bool {
		return !slices.ContainsFunc(a.Images, func(x compare.Image) bool { return x.Name == y.Name })
	})
	if r.source.stranger() {
		if err := compactDocuments(b); err != nil {
			return nil, err
		}
	}
	tmp, err := os.MkdirTemp(r.dir, "compare-") // the build could write into "tmp"
	if err != nil {
		return nil, err
	}
	return compare.Compare(ctx, a, b, tmp)
}

// differs returns the error for a comparison that found a difference.
func differs(c *report.Comparison) error {
	if c.Same {
		return nil
	}
	cause := ""
	if len(c.Causes) > 0 {
		cause = fmt.Sprintf("; the cause: %s: %s", c.Causes[0].Kind, c.Causes[0].Detail)
	}
	return fmt.Errorf("%w: %s and %s differ%s", ErrDiffers, c.A, c.B, cause)
}

// compactDocuments converts a build's documents to the form in attestations. A first build that
// is read from its attestations has only that form.
func compactDocuments(b compare.Build) error {
	for _, image := range b.Images {
		for _, platform := range image.Platforms {
			for kind, document := range platform.Documents {
				var err error
				if platform.Documents[kind], err = compact(document); err != nil {
					return fmt.Errorf("read the document %s: %w", kind, err)
				}
			}
		}
	}
	return nil
}

// compact returns JSON without white space, as in attestations.
func compact(document []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
