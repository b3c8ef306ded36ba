package release

import (
	"errors"
	"fmt"
	"os"

	"github.com/thimble-build/thimble/build/internal/publish"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/signing"
	"github.com/thimble-build/thimble/build/internal/verifykit"
	"github.com/thimble-build/thimble/build/plan"
)

// WriteKit stages the folder verify, with which a deployer verifies this release. It returns
// the verification commands. Without uploads, they verify the images' layouts.
func WriteKit(s *session.Session, p *plan.Plan, signer signing.Signer, dist *publish.Dist,
	uploads Uploads) ([]string, error) {
	cfg := s.Config.Release
	in := verifykit.Release{
		Version: p.Version, Module: p.Module.Path, Archives: !cfg.OmitArchives,
		Trust: signer.Trust, Forms: signer.Forms, Logs: cfg.Logs,
		TimestampAuthorities: cfg.TimestampAuthorities,
	}
	if cfg.Keyless != nil {
		in.Fulcio = cfg.Keyless.Fulcio
	}
	if cfg.TrustedRoot != "" {
		var err error
		if in.TrustedRoot, err = os.ReadFile(s.Path(cfg.TrustedRoot)); err != nil {
			return nil, fmt.Errorf("read trusted root: %w", err)
		}
	}
	for _, u := range uploads {
		name := u.repo.Name()
		in.Images = append(in.Images, verifykit.Image{
			Reference: u.Name + "@" + u.Digest.String(), Repository: name.Name(),
			PlainHTTP: name.Scheme() == "http",
		})
	}
	for _, img := range p.Images {
		in.Layouts = append(in.Layouts, img.Name)
	}
	kit, err := verifykit.Make(in)
	if err != nil {
		return nil, err
	}
	var errs []error
	for file, content := range kit.Files {
		errs = append(errs, dist.Write("verify/"+file, content))
	}
	return kit.Commands, errors.Join(errs...)
}
