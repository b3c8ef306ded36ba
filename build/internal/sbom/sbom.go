// Package sbom writes software bills of materials: SPDX 2.3 and CycloneDX 1.6, both as JSON, for one
// image on one platform.
//
// It takes the plan, the binary's build info, the licences that package license found, and what
// package tree added; it returns the bytes of a document. Both documents contain the same: the
// service, which is the primary component, with its binary; the main module, every linked module
// and the standard library, with the imports between them as edges; the components that brought
// files into the image, with these files. They have the NTIA minimum elements, and CycloneDX also
// has the fields that BSI TR-03183-2 v2.1 requires.
//
// The same input in any order gives the same bytes: identifiers are derived from content, and the
// only time is the plan's epoch. Unknown values are left out or NOASSERTION. The package reads no
// files, uses no network, and does not know the image's digest.
package sbom

import (
	"github.com/thimble-build/thimble/build/internal/license"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Module is a module of the build info.
type Module struct {
	// Path, Version and Sum are as in the build info; Version may be "(devel)".
	Path, Version, Sum string
	// Replace is the module that replaces this one, as in the build info: with a version, or a
	// folder.
	Replace *Module
	// Imports are the paths of the modules that the linked packages import, as in the build info
	// (of a replaced module, the original path); "std" is the standard library.
	Imports []string
	License license.Result
}

// Binary is the service's executable.
type Binary struct {
	Path string // absolute, in the image
	Name string
	Size int64 // bytes
	// Digests in hex.
	SHA1, SHA256, SHA512 string
}

// Program is another executable than the Binary of an Input, and the modules linked into it. Path
// names the module that it is from, which is one of Modules.
type Program struct {
	Path    string
	Modules []Module
	Std     Module
	// Own says that it is a further program of the service: its binary is among Further of the
	// Input.
	Own bool `json:",omitempty"`
	// Binary is nil if it is a binary of the Input.
	Binary *Binary
}

// Asset is a file of the image without a component: the user's files and certificates, the
// licence texts.
type Asset struct {
	tree.File
	Executable bool
}

// Input is the content of a document. It is plain data: encoded as JSON and decoded again, it gives
// the same documents.
type Input struct {
	Plan     *plan.Plan
	Image    plan.Image
	Platform plan.Platform

	Binary Binary
	// Further are the service's other executables.
	Further []Binary `json:",omitempty"`
	// Main is the main module; Modules are the other linked modules. Std is the standard library:
	// Path "std", Version such as "go1.26.8". All are empty for an image without the service; its
	// Binary is then that of a program.
	Main    Module
	Modules []Module
	Std     Module
	// Programs are the other Go executables: further ones of the service, or a debugger.
	Programs []Program

	Components []tree.Component
	Assets     []Asset

	// Compiler is the C compiler of an image with cgo; nil for others. Libraries are loaded when
	// its binary starts.
	Compiler  *plan.CCompiler
	Libraries []Library
}

// Library is a shared library, or the dynamic linker: the requested name, the path, and the name
// of the component that brought it, if known.
type Library struct{ Name, Path, Component string }

// noAssertion is the value of unknown fields.
const noAssertion = "NOASSERTION"
