package compare

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Build is one of the two builds.
type Build struct {
	// Name is what a reader knows it by, such as a file or a reference.
	Name string
	// Plan is the plan's JSON; nil where it is not known.
	Plan   json.RawMessage
	Images []Image
	// Files are those that went into the build and that no commit has, by their path
	// below the repository's root: generated code. Nil where that is not known.
	Files map[string][]byte
}

// Image is an image for all its platforms.
type Image struct {
	Name string
	// Digest of the index; of the manifest, where the image is not in an index; empty
	// where only binaries were made.
	Digest string
	// Index is the index as it is stored; nil where it is not at hand.
	Index     []byte
	Platforms []Platform
}

// Platform is an image for one platform.
type Platform struct {
	Platform string
	Digest   string
	// Layers are those that a manifest.json lists, for where Image is not at hand.
	Layers []Layer
	// Binary is the executable's SHA-256 in hex, and BinaryFile a file that holds it;
	// each may be empty.
	Binary, BinaryFile string
	// Image is nil where it is not at hand.
	Image v1.Image
	// Documents are the SBOMs and their like, by their kind.
	Documents map[string][]byte
}

// Layer is a compressed layer.
type Layer struct{ Name, Digest string }
