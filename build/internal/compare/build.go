package compare

import (
	"encoding/json"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Build is one of the two builds.
type Build struct {
	// Name identifies the build for the reader, such as a file or a reference.
	Name string
	// Plan is the plan's JSON; nil if unknown.
	Plan   json.RawMessage
	Images []Image
	// Files are the inputs of the build that are in no commit, by their path below the
	// repository's root: generated code. Nil if unknown.
	Files map[string][]byte
}

// Image is an image for all its platforms.
type Image struct {
	Name string
	// Digest of the index; of the manifest, if the image is not in an index; empty if only
	// binaries were made.
	Digest string
	// Index is the index as it is stored; nil if not available.
	Index     []byte
	Platforms []Platform
}

// Platform is an image for one platform.
type Platform struct {
	Platform string
	Digest   string
	// Layers are those that a manifest.json lists, if Image is not available.
	Layers []Layer
	// Binary is the executable's SHA-256 in hex; it may be empty. OpenBinary opens a file with its
	// content; nil if there is none.
	Binary string
	// Further are the hashes of the image's other programs.
	Further    []string
	OpenBinary func() (*os.File, error)
	// Image is nil if not available.
	Image v1.Image
	// Documents are the SBOMs and similar documents, by kind.
	Documents map[string][]byte
}

// Layer is a compressed layer.
type Layer struct{ Name, Digest string }
