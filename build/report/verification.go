package report

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// ErrRefused is the error of a verification when a check failed; the report says which.
var ErrRefused = errors.New("verification failed")

// Outcome is the result of a check.
type Outcome string

// The outcomes of a check.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// Ignored is something that has no effect, such as an additional signature by another
	// signer.
	Ignored Outcome = "ignored"
)

// Form is a way in which signatures are stored with an image.
type Form string

// The forms of a signature.
const (
	// Bundles are Sigstore bundles in OCI 1.1 referrers.
	Bundles Form = "bundle"
	// Tags are the images at sha256-<hex>.sig and sha256-<hex>.att.
	Tags Form = "tag"
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
	// Form says how a signature is stored.
	Form Form `json:"form,omitempty"`
	// Executables are the platforms whose executables are in an SBOM of the index.
	Executables []string `json:"executables,omitempty"`
	Outcome     Outcome  `json:"outcome"`
	// Detail is one line: who signed, or why the check failed.
	Detail string `json:"detail"`
}

// Verification is everything that was checked of an image, in the order index, platforms.
type Verification struct {
	Name   string  `json:"name"`
	Digest string  `json:"digest"`
	Checks []Check `json:"checks"`
}

// Err returns nil if no check failed, and otherwise an [ErrRefused] with the reasons.
func (v Verification) Err() error {
	failed := v.failures()
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("verify %s@%s: %w: %s", v.Name, v.Digest, ErrRefused, strings.Join(failed, "; "))
}

// Refusal returns the error of a verification in one line: [ErrRefused] with the first reasons,
// because one problem can make many checks fail. It does not change any other error.
func (v Verification) Refusal(err error) error {
	if !errors.Is(err, ErrRefused) {
		return err
	}
	reasons, more := v.failures(), ""
	if n := len(reasons); n > 3 {
		reasons, more = reasons[:3], fmt.Sprintf("; and %d more", n-3)
	}
	return fmt.Errorf("verify %s@%s: %w: %s%s", v.Name, v.Digest, ErrRefused, strings.Join(reasons, "; "),
		more)
}

// failures returns the checks that failed, with the reasons.
func (v Verification) failures() (all []string) {
	for _, c := range v.Checks {
		if c.Outcome == Failed {
			all = append(all, fmt.Sprintf("%s of %s: %s", c.Check, cmp.Or(c.Platform, c.Subject), c.Detail))
		}
	}
	return all
}
