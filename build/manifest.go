package build

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/deployment"
)

// ManifestOptions are the options of Manifest.
type ManifestOptions struct {
	Options
	// Image is the name of one image; all if empty.
	Image string
	// Compose writes a compose file instead of manifests of Kubernetes.
	Compose bool
}

// Manifest returns what runs the images in the output folder: a Deployment each, with a Service if
// it has ports, or a compose file. The error wraps [io/fs.ErrNotExist] if no image was made yet.
func Manifest(ctx context.Context, o ManifestOptions) ([]byte, error) {
	s, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	services, err := deployment.Read(ctx, s.Dist, s.Config.Dist, o.Image)
	if err != nil {
		return nil, err
	}
	if o.Compose {
		return deployment.Compose(services)
	}
	return deployment.Kubernetes(services)
}
