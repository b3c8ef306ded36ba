package report

import "github.com/thimble-build/thimble/build/plan"

// Document is the SBOM of one image for one platform, from the output folder.
type Document struct {
	Image    string
	Platform plan.Platform
	// SPDX and CycloneDX are the bytes of the documents.
	SPDX, CycloneDX []byte
	// Components are those of the CycloneDX document.
	Components []Component
}

// Component is one line of an SBOM. License is an SPDX expression; "" if unknown.
type Component struct{ Name, Version, License string }
