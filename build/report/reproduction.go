package report

import "time"

// Reproduction is the outcome of building again.
type Reproduction struct {
	*Comparison
	// Revision is the commit that was built. Toolchain is the Go version that was used.
	Revision  string `json:"revision"`
	Toolchain string `json:"toolchain"`
	// Room lists what differed from the first build's environment.
	Room []string `json:"room"`
	// Sandbox isolated a build of foreign code from this machine; nil for a build of this
	// repository.
	Sandbox *Sandbox `json:"sandbox,omitempty"`
	// Provenance says who signed the provenance of the build. Attested is how many attestations
	// of the outcome were made. Both are only set by Rebuild.
	Provenance string `json:"provenance,omitempty"`
	Attested   int    `json:"attested,omitempty"`
	// Elapsed is the time of the whole run.
	Elapsed time.Duration `json:"-"`
}

// Sandbox says which mechanisms isolated a build of foreign code from this machine.
type Sandbox struct {
	// Held are the mechanisms that work on this machine; a child process tested them.
	Held []string `json:"held"`
	// Refused are the other mechanisms, each with the reason.
	Refused []string `json:"refused,omitempty"`
}
