package report

import "time"

// Loaded is an image in an engine.
type Loaded struct {
	Engine, Version string
	// ID is the engine's ID of the image, beginning with "sha256:". Usually it is the digest of
	// the image's configuration. If containerd stores the images, it is the digest of a
	// manifest that the engine made.
	ID string
}

// Tests counts the tests of a module, and names the packages, sorted by import path; one without
// tests is in neither list.
type Tests struct {
	Packages, Tests, Skipped int
	Passed, Failed           []string
}

// PreviousImage is an image of the previous release.
type PreviousImage struct {
	// Tag is the tag of the previous release. Digest is the digest that the tag points to.
	Tag    string
	Digest string
	// Platforms has the digest and the size of each platform, as in PlatformResult.
	Platforms []PlatformResult
}

// Instruction is a command that uses a debug image, and its purpose.
type Instruction struct {
	Image   string `json:"image"`
	Purpose string `json:"purpose"`
	Command string `json:"command"`
}

// Stage is a stage of a run and its duration.
type Stage struct {
	Name    string        `json:"name"`
	Elapsed time.Duration `json:"elapsed"`
}
