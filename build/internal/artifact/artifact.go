// Package artifact has the types that are passed from building images to releasing them. They are
// complete when they are made, and are not changed afterwards. It reads and writes nothing.
package artifact

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/plan"
)

// Index is an image for all of its platforms.
type Index struct {
	// Image is as in the final plan.
	Image plan.Image
	// Descriptor is that of the index itself.
	Descriptor v1.Descriptor
	V1         v1.ImageIndex
}

// Described is an image for one platform, with the facts for its documents and signatures. It is
// plain data: encoded as JSON and decoded again, even by another process, it gives the same
// statements.
type Described struct {
	// Image is the image's name.
	Image string
	// Descriptor is that of the image's manifest.
	Descriptor v1.Descriptor
	// Binary is the SHA-256 of the executable in the image, in hex.
	Binary string
	// SPDX and CycloneDX are the SBOMs.
	SPDX, CycloneDX []byte
	// Contents are the inputs of the SBOMs and the provenance, without the executable's digests
	// and the assets.
	Contents sbom.Input
}
