package assemble

import (
	"context"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// Extra is what a debug image has in addition. The zero value is nothing.
type Extra struct {
	// Tools are a layer below the binary; nil for none. Key identifies its content.
	Tools func(context.Context) (*tree.Tree, error)
	Key   string
	// Toolbox says that the image has the symbols of the binary instead of the binary. The
	// symbols are in the folder where debuggers look by default.
	Toolbox bool
	// Executable is the path of the program for the SBOM and the healthcheck; empty for the
	// binary. Entrypoint replaces the binary as the entrypoint. Empty but not nil means none.
	Executable string
	Entrypoint []string
	// Programs are the Go programs in Tools, for the SBOM. The Executable of a toolbox is the
	// first. Assets are its files without a component.
	Programs []sbom.Program
	Assets   []sbom.Asset
}

// symbolsFolder is where debuggers look for symbols by default.
const symbolsFolder = "/usr/lib/debug"
