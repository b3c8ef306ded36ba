package build

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// fetchBases puts what the bases of a plan are made of, as its lock pins it, into the session's
// cache folder.
func fetchBases(ctx context.Context, s *session.Session, p *plan.Plan) error {
	if p.Lock == nil {
		return nil
	}
	content, err := cache.Open(filepath.Join(s.Cache, "content"), cache.Options{})
	if err != nil {
		return err
	}
	images := baseImages(s, content)
	for _, use := range lock.Uses(p.Images, p.Platforms) {
		if lock.IsDebian(use.Base) {
			if len(p.Lock.Debian) == 0 {
				return fmt.Errorf("base %s is not in the plan's lock", use)
			}
			arch, err := debian.Architecture(p.Lock.Debian[0].Suite, use.Platform)
			if err != nil {
				return fmt.Errorf("base %s: %w", use, err)
			}
			selection, err := debian.Find(&p.Lock.Debian[0], use.Base, use.Packages, arch)
			if err != nil {
				return fmt.Errorf("base %s: %w", use, err)
			}
			if err := selection.Fetch(ctx, debianMirror(s)); err != nil {
				return fmt.Errorf("base %s: %w", use, err)
			}
			continue
		}
		if strings.HasPrefix(use.Base, "oci:") || strings.HasPrefix(use.Base, "docker-archive:") {
			continue // it is in the clone
		}
		image := lock.Image(p.Lock, use.Base)
		if image == nil {
			return fmt.Errorf("base %s is not in the plan's lock", use)
		}
		if _, err := images.Image(ctx, *image, use.Platform); err != nil {
			return err
		}
	}
	return nil
}
