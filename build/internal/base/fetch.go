package base

import (
	"context"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

// Fetch puts the content of a plan's bases into the caches, as its lock pins it. Images that are
// files of the repository are left out.
func Fetch(ctx context.Context, s Sources, p *plan.Plan) error {
	if p.Lock == nil {
		return nil
	}
	images := s.images()
	for _, use := range lock.Uses(p.Images, p.Platforms) {
		switch {
		case lock.IsDebian(use.Base):
			selection, err := selectionOf(p.Lock, use)
			if err != nil {
				return err
			}
			if err := selection.Fetch(ctx, s.Debian); err != nil {
				return fmt.Errorf("base %s: %w", use, err)
			}
		case strings.HasPrefix(use.Base, "oci:") || strings.HasPrefix(use.Base, "docker-archive:"):
		default:
			pinned := lock.Image(p.Lock, use.Base)
			if pinned == nil {
				return errNotPinned(use)
			}
			if _, err := images.Image(ctx, *pinned, use.Platform); err != nil {
				return err
			}
		}
	}
	return nil
}
