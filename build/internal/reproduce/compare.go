package reproduce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/thimble-build/thimble/build/internal/compare"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Compare compares the first build with the build in the clean room; first and second read the
// two. It omits what the first does not have.
func (r *Room) Compare(ctx context.Context, s *session.Session, built Built, first func(context.Context) (compare.Build, error), second func() (compare.Build, error)) (*compare.Report, error) {
	var report *compare.Report
	err := s.Stage("compare", func() (string, error) {
		a, err := first(ctx)
		if err != nil {
			return "", err
		}
		b, err := second()
		if err != nil {
			return "", err
		}
		if b.Files, err = r.generatedContent(built.Generated); err != nil {
			return "", err
		}
		b.Images = slices.DeleteFunc(b.Images, func(y compare.Image) bool {
			return !slices.ContainsFunc(a.Images, func(x compare.Image) bool { return x.Name == y.Name })
		})
		if r.source.stranger() {
			if err := compactDocuments(b); err != nil {
				return "", err
			}
		}
		tmp, err := os.MkdirTemp(r.dir, "compare-") // the build could write into "tmp"
		if err != nil {
			return "", err
		}
		if report, err = compare.Compare(ctx, a, b, tmp); err != nil {
			return "", err
		}
		if report.Same {
			return "equal", nil
		}
		return "different", nil
	})
	return report, err
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
