package attest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is the error of [Verify] when a check failed; the report says which.
var ErrRefused = errors.New("verification failed")

// Outcome is the result of a check.
type Outcome string

const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// Ignored is something that has no effect, such as an additional signature by another
	// signer.
	Ignored Outcome = "ignored"
)

// Check is one row of a report.
type Check struct {
	// Check names what was checked: "manifest", "content", "signature", a predicate type's
	// short name ("spdx", "cyclonedx", "provenance", "test-result", "release") or the type,
	// "source", "platforms", "stored".
	Check string `json:"check"`
	// Subject is the digest, Platform the platform of an image in an index.
	Subject  string `json:"subject"`
	Platform string `json:"platform,omitempty"`
	Form     Form   `json:"form,omitempty"`
	// Executables are the platforms whose executables are in an SBOM of the index.
	Executables []string `json:"executables,omitempty"`
	Outcome     Outcome  `json:"outcome"`
	// Detail is one line: who signed, or why the check failed.
	Detail string `json:"detail"`
}

// Report is everything that was checked, in the order index, platforms.
type Report struct {
	Name   string  `json:"name"`
	Digest string  `json:"digest"`
	Checks []Check `json:"checks"`
}

// Err returns nil if no check failed, and otherwise an [ErrRefused] with the reasons.
func (r Report) Err() error {
	failed := r.failures()
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("verify %s@%s: %w: %s", r.Name, r.Digest, ErrRefused, strings.Join(failed, "; "))
}

// Refusal returns the error of a verification in one line: [ErrRefused] with the first reasons,
// because one problem can make many checks fail. It does not change any other error.
func (r Report) Refusal(err error) error {
	if !errors.Is(err, ErrRefused) {
		return err
	}
	reasons, more := r.failures(), ""
	if n := len(reasons); n > 3 {
		reasons, more = reasons[:3], fmt.Sprintf("; and %d more", n-3)
	}
	return fmt.Errorf("verify %s@%s: %w: %s%s", r.Name, r.Digest, ErrRefused, strings.Join(reasons, "; "), more)
}

// failures returns the checks that failed, with the reasons.
func (r Report) failures() (all []string) {
	for _, c := range r.Checks {
		if c.Outcome == Failed {
			all = append(all, fmt.Sprintf("%s of %s: %s", c.Check, cmp.Or(c.Platform, c.Subject), c.Detail))
		}
	}
	return all
}

// shortNames are the names of the predicate types in reports.
var shortNames = map[string]string{
	SignatureType:  "signature",
	SPDXType:       "spdx",
	CycloneDXType:  "cyclonedx",
	ProvenanceType: "provenance",
	TestResultType: "test-result",
	SummaryType:    "verification-summary",
	ReleaseType:    "release",
}

func checkName(predicateType string) string {
	if short, ok := shortNames[predicateType]; ok {
		return short
	}
	return predicateType
}
