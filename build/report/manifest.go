package report

import (
	"encoding/json"
	"fmt"

	"github.com/thimble-build/thimble/build/plan"
)

// Manifest is dist/manifest.json: everything that a run made, for programs. Paths are relative
// to the manifest's folder, with slashes; sizes are in bytes; digests are "sha256:<hex>", and
// sha256 is only <hex>.
type Manifest struct {
	Plan   *plan.Plan    `json:"plan"`
	Images []ImageResult `json:"images"`

	// The fields that a release adds.
	Archives     []ArchiveResult `json:"archives,omitempty"`
	Signatures   []Signature     `json:"signatures,omitempty"`
	Attestations []Signature     `json:"attestations,omitempty"`
}

// ArchiveResult is a release archive.
type ArchiveResult struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Image and Platform are those of the binary in the archive.
	Image    string        `json:"image"`
	Platform plan.Platform `json:"platform"`
	// SBOM is in the folder of the archive.
	SBOM *SBOM `json:"sbom,omitempty"`
}

// Signature is a verified signature or attestation.
type Signature struct {
	// Repository is where the signature is; empty for the output folder.
	Repository string `json:"repository,omitempty"`
	// Subject is the digest of what is signed. Type is "signature", or the predicate type of an
	// attestation as in Check. Signer is who signed.
	Subject string `json:"subject"`
	Type    string `json:"type"`
	Form    Form   `json:"form"`
	Signer  string `json:"signer"`
}

// ImageResult is one image for every platform of the plan.
type ImageResult struct {
	Name    string `json:"name"`
	Package string `json:"package"`
	// Reference is the image's name with its first tag, as an engine shows it.
	Reference string `json:"reference"`
	// Digest is the digest of the image index.
	Digest string   `json:"digest,omitempty"`
	Tags   []string `json:"tags"`
	// Layout is the OCI image layout.
	Layout    string           `json:"layout,omitempty"`
	Platforms []PlatformResult `json:"platforms"`
}

// PlatformResult is an image for one platform.
type PlatformResult struct {
	Platform plan.Platform `json:"platform"`
	// Digest is the digest of the image manifest. Size is the size of a download: the manifest,
	// the configuration and the compressed layers.
	Digest string `json:"digest,omitempty"`
	Size   int64  `json:"size,omitempty"`
	// Base is the image's base. BaseDigest is the digest of its manifest, if it is an image.
	Base       string  `json:"base"`
	BaseDigest string  `json:"baseDigest,omitempty"`
	Layers     []Layer `json:"layers,omitempty"`
	// Binary is the one that the image runs. Programs are its other binaries, sorted by name.
	Binary   Binary   `json:"binary"`
	Programs []Binary `json:"programs,omitempty"`
	Needs    []Need   `json:"needs"`
	SBOM     *SBOM    `json:"sbom,omitempty"`
}

// Layer is a compressed layer.
type Layer struct {
	// Name is "base", "rootfs", "assets", "binary" or, for another program, "program NAME"; in
	// debug images also "debug" or "symbols".
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// Binary is an executable in the image.
type Binary struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Static says that the binary was proven to be static: no interpreter, no shared library.
	Static bool `json:"static"`
	// Libraries are what the binary loads when it starts in the image, including the dynamic
	// linker, and what needs each.
	Libraries []Library `json:"libraries,omitempty"`
	// BuildID is the binary's GNU build id in hex. Symbols is the file with its debug symbols.
	// Both are set only with Config.DebugSymbols.
	BuildID string `json:"buildID,omitempty"`
	Symbols string `json:"symbols,omitempty"`
}

// Library is a shared library or the dynamic linker of an image.
type Library struct {
	// Name is the name that the binary asks for, Path the path of the file.
	Name string `json:"name"`
	Path string `json:"path"`
	// Package is the package of the base that contains it; empty if unknown.
	Package string `json:"package,omitempty"`
}

// Need is a part of an operating system that the binary can use, the reason, and the files that
// the image has for it. There are no files if the base has the part.
type Need struct {
	plan.Need
	Files  []string `json:"files"`
	InBase bool     `json:"inBase,omitempty"`
}

// SBOM says where the documents are, and how many components they list.
type SBOM struct {
	SPDX       string `json:"spdx"`
	CycloneDX  string `json:"cyclonedx"`
	Components int    `json:"components"`
}

// JSON returns the manifest as indented JSON with a final newline.
func (m *Manifest) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return append(b, '\n'), nil
}
