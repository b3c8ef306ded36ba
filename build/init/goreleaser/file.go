package goreleaser

import "github.com/thimble-build/thimble/build/init/finding"

// File is what a .goreleaser.yaml says.
type File struct {
	// Source has a program for each build, in the file's order.
	Source finding.Source
	// Hooks are the commands of before.hooks that could make files.
	Hooks []Hook
	// Dockerfiles are the files that its images are made of, with the build that they contain.
	Dockerfiles []Image
}

// Hook is a command that runs before the builds.
type Hook struct {
	finding.Place
	Command string
}

// Image is an image that is made of a Dockerfile.
type Image struct {
	finding.Place
	// Dockerfile is relative to the root of the repository.
	Dockerfile string
	// Module and Package are the program in it; Package is "" if that is not known.
	Module, Package string
}
