package targets

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/report"
)

// Release makes, signs, verifies and tags every image, for every platform
func Release(ctx context.Context,
	platform *string, // platforms other than the release's set
	test *bool, // false leaves the tests out
	allowDirty *bool, // releases a tree that differs from the commit
	allowUntagged *bool, // releases a commit without a version tag
	allowFailingTests *bool, // releases although tests fail
	json *bool, // prints the manifest
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"release", platform, test, allowDirty, allowUntagged, allowFailingTests, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		s.result(build.Release(ctx, build.ReleaseOptions{
			Options: s.options, SkipTests: isFalse(test), Summary: s.summary,
			AllowDirty: is(allowDirty), AllowUntagged: is(allowUntagged),
			AllowFailingTests: is(allowFailingTests),
		}))
		return s.err
	})
}

// Push pushes images under the revision's tag, for previews, unsigned
func Push(ctx context.Context,
	platform *string, // platforms other than the release's set
	test *bool, // false leaves the tests out
	json *bool, // prints the manifest
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"push", platform, test, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		s.choose(platform)
		s.result(build.Push(ctx, build.PushOptions{Options: s.options, SkipTests: isFalse(test),
			Summary: s.summary}))
		return s.err
	})
}

// Sign signs an image in a registry, named by its digest
func Sign(ctx context.Context, ref string,
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling("sign", ref, offline), nil, offline, func(ctx context.Context, s *session) error {
		made, err := build.Sign(ctx, s.options, ref)
		if err != nil {
			return err
		}
		if made == 0 {
			_, err = plaintext.Fprintf(os.Stdout, "%s is already signed\n", ref)
		} else {
			_, err = plaintext.Fprintf(os.Stdout, "signed %s\n", ref)
		}
		return err
	})
}

// Verify checks signatures, SBOMs and provenance of an image or OCI layout
func Verify(ctx context.Context, ref string,
	key *string, // files with public keys, such as cosign.pub,old.pub: any may have signed
	identity *string, // the certificate's subject
	identityRegexp *string, // the same, as a regular expression
	issuer *string, // the issuer of the identity's token
	issuerRegexp *string, // the same, as a regular expression
	trustedRoot *string, // Sigstore's trusted_root.json
	source *string, // the repository that the provenance must name
	noTransparencyLog *bool, // does without an entry in a transparency log
	noCertificateLog *bool, // does without an entry in a log of certificates
	json *bool, // prints the report
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"verify", ref, key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source,
		noTransparencyLog, noCertificateLog, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		want := expected(key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source,
			noTransparencyLog, noCertificateLog)
		want.Options = s.options
		report, err := build.Verify(ctx, want, ref)
		if report == nil {
			return err
		}
		if showErr := s.report(report); showErr != nil {
			return showErr
		}
		failed := 0
		for _, c := range report.Checks {
			if c.Outcome == "failed" {
				failed++
			}
		}
		if failed > 0 { // the table shows which
			return fmt.Errorf("verify %s: %d of %d checks failed", ref, failed, len(report.Checks))
		}
		return err
	})
}

// Keys makes a key pair for signing, cosign.key and cosign.pub
func Keys(ctx context.Context,
	name *string, // another name than cosign
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"keys", name, offline,
	), nil, offline, func(ctx context.Context, s *session) error {
		prefix := value(name)
		if prefix == "" {
			prefix = "cosign"
		}
		s.options.Password = newPassword
		private, public, err := build.Keys(ctx, s.options, prefix)
		if err != nil {
			return err
		}
		_, err = plaintext.Fprintf(os.Stdout,
			"private   %s (keep it, and its password, secret)\npublic    %s\nuse it    THIMBLE_KEY=%s mage "+
				"release\n", private, public, private)
		return err
	})
}

// report prints what was verified, as a table or as JSON.
func (s *session) report(r *report.Verification) error {
	s.progress.Close()
	if s.json {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(append(b, '\n'))
		return err
	}
	plaintext.Fprintf(os.Stdout, "%s@%s\n\n", r.Name, r.Digest)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		of := c.Platform
		if of == "" {
			of = "index"
			if c.Subject != r.Digest {
				of = c.Subject
			}
		}
		plaintext.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", c.Outcome, of, c.Check, c.Form, c.Detail)
	}
	return w.Flush()
}
