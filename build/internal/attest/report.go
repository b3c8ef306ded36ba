package attest

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is the error of [Verify] when a check failed; the report says which.
var ErrRefused = errors.New("verification failed")

// Outcome is how a check ended.
type Outcome string

const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// Ignored is something that neither helps nor harms, such as a signature by
	// somebody else beside the expected one.
	Ignored Outcome = "ignored"
)

// Check is one row of a report.
type Check struct {
	// Check names what was looked at: "manifest", "content", "signature", a predicate type's
	// short name ("spdx", "cyclonedx", "provenance", "test-result", "release") or the type,
	// "source", "platforms", "stored".
	Check string `json:"check"`
	// Subject is the digest, Platform the platform of an image in an index.
	Subject  string `json:"subject"`
	Platform string `json:"platform,omitempty"`
	Form     Form   `json:"form,omitempty"`
	// Executables are the platforms whose executables an SBOM of the index names.
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

// Err is nil when no check failed, and otherwise an [ErrRefused] with the reasons.
func (r Report) Err() error {
	failed := r.failures()
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("verify %s@%s: %w: %s", r.Name, r.Digest, ErrRefused, strings.Join(failed, "; "))
}

// Refusal is the error of a verification in one line: [ErrRefused] with the first reasons, since
// many checks can fail for one. Any other error is returned as it is.
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

// failures are the checks that failed, and why.
func (r Report) failures() (all []string) {
	for _, c := range r.Checks {
		if c.Outcome == Failed {
			all = append(all, fmt.Sprintf("%s of %s: %s", c.Check, cmp.Or(c.Platform, c.Subject), c.Detail))
		}
	}
	return all
}

// shortNames are what reports call the predicate types.
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
