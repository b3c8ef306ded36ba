package build

import (
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// record puts what was verified into the manifest.
func (rel *release) record(repository string, report attest.Report) {
	rel.verified = append(rel.verified, report)
	for _, c := range report.Checks {
		if c.Outcome != attest.Passed || c.Form == "" {
			continue
		}
		s := Signature{Repository: repository, Subject: c.Subject, Type: c.Check, Form: string(c.Form), Signer: c.Detail}
		switch {
		case c.Check == "signature":
			rel.done.Signatures = append(rel.done.Signatures, s)
		case slices.Contains([]string{"spdx", "cyclonedx", "provenance", "test-result"}, c.Check):
			rel.done.Attestations = append(rel.done.Attestations, s)
		}
	}
}

// list is names in a sentence.
func list(names []string) string { return strings.Join(names, ", ") }
