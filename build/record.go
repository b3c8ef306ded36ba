package build

import (
	"errors"
	"fmt"
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

// refusal is the error of a verification that failed, with its first reasons: many
// checks can fail for one.
func refusal(report attest.Report, err error) error {
	if !errors.Is(err, attest.ErrRefused) {
		return err
	}
	var reasons []string
	for _, c := range report.Checks {
		if c.Outcome == attest.Failed {
			where := c.Platform
			if where == "" {
				where = c.Subject
			}
			reasons = append(reasons, fmt.Sprintf("%s of %s: %s", c.Check, where, c.Detail))
		}
	}
	more := ""
	if n := len(reasons); n > 3 {
		reasons, more = reasons[:3], fmt.Sprintf("; and %d more", n-3)
	}
	return fmt.Errorf("verify %s@%s: %w: %s%s", report.Name, report.Digest, attest.ErrRefused, strings.Join(reasons, "; "), more)
}

// list is names in a sentence.
func list(names []string) string { return strings.Join(names, ", ") }
