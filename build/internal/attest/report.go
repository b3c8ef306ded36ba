package attest

import (
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
	// short name ("spdx", "cyclonedx", "provenance", "test-result") or the type,
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
	var failed []string
	for _, c := range r.Checks {
		if c.Outcome != Failed {
			continue
		}
		where := c.Subject
		if c.Platform != "" {
			where = c.Platform
		}
		failed = append(failed, fmt.Sprintf("%s of %s: %s", c.Check, where, c.Detail))
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("verify %s@%s: %w: %s", r.Name, r.Digest, ErrRefused, strings.Join(failed, "; "))
}

// shortNames are what reports call the predicate types.
var shortNames = map[string]string{
	SignatureType:  "signature",
	SPDXType:       "spdx",
	CycloneDXType:  "cyclonedx",
	ProvenanceType: "provenance",
	TestResultType: "test-result",
	SummaryType:    "verification-summary",
}

func checkName(predicateType string) string {
	if short, ok := shortNames[predicateType]; ok {
		return short
	}
	return predicateType
}
