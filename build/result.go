package build

import (
	"time"

	"github.com/thimble-build/thimble/build/report"
)

// Result is the outcome of a run.
type Result struct {
	report.Manifest
	// Dist is the absolute path of the output folder.
	Dist string
	// Tests counts the tests that ran; nil if none ran.
	Tests *report.Tests
	// Loaded names the engine that now has the images; empty if Load was not requested.
	Loaded []report.Loaded
	// Archive is the docker archive that was written, if any.
	Archive string
	// Instructions say how to use a debug image.
	Instructions []report.Instruction
	// VerifyCommands are the commands in Dist/verify/verify.sh, which verify a release with
	// standard clients.
	VerifyCommands []string
	// Previous are the images of the previous release that are still in the registry, by name.
	// It is set only if a Summary was requested.
	Previous map[string]report.PreviousImage
	// Stages are the times of the stages, in the order in which they ended. Several run at
	// once.
	Stages []report.Stage
	// Elapsed is the time of the whole run.
	Elapsed time.Duration
}
