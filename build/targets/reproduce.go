package targets

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/cleanroom"
	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/report"
)

// init makes this program the one that builds in a clean room, whatever name the magefile gives
// the target.
func init() {
	if cleanroom.Asked() {
		err := run(context.Background(), call{}, nil, nil,
			func(ctx context.Context, _ *session) error { return cleanroom.Enter(ctx) })
		if err != nil {
			fmt.Fprintln(os.Stderr, plaintext.Error(err))
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// Reproduce builds dist or a released image again, and says what differs
func Reproduce(ctx context.Context,
	from *string, // an image or OCI layout, to build again from its provenance
	between *string, // two manifest.json files A,B to compare instead
	exitCode *bool, // with -between: fails where the two differ
	mirror *string, // with -from: where to fetch the source instead
	allowLinkerFlag *string, // with -from: linker flags to allow besides harmless ones, separated by commas
	requireSandbox *bool, // with -from: fails where this machine refuses a part of the sandbox
	allowSubmodules *bool, // with -from: fetches submodules from other hosts as well
	before *bool, // with -from: runs Config.Before in the source, in the sandbox
	attest *bool, // with -from: signs the outcome and attaches it to the image
	key *string, // with -from: files with public keys, of which any may have signed
	identity *string, // the certificate's subject
	identityRegexp *string, // the same, as a regular expression
	issuer *string, // the issuer of the identity's token
	issuerRegexp *string, // the same, as a regular expression
	trustedRoot *string, // Sigstore's trusted_root.json
	source *string, // the repository that the provenance must name
	noTransparencyLog *bool, // does without an entry in a transparency log
	noCertificateLog *bool, // does without an entry in a log of certificates
	json *bool, // prints the report as JSON
	offline *bool, // connects to no other machine
) error {
	return run(ctx, calling(
		"reproduce", from, between, exitCode, mirror, allowLinkerFlag, requireSandbox, allowSubmodules,
		before, attest, key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source,
		noTransparencyLog, noCertificateLog, json, offline,
	), json, offline, func(ctx context.Context, s *session) error {
		want := build.RebuildOptions{
			VerifyOptions: expected(key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source,
				noTransparencyLog, noCertificateLog),
			Mirror: value(mirror), Attest: is(attest), AllowLinkerFlags: list(allowLinkerFlag),
			RequireSandbox: is(requireSandbox), AllowSubmodules: is(allowSubmodules), Before: is(before),
		}
		want.Options = s.options
		a, b, two := strings.Cut(value(between), ",")
		switch {
		case value(from) != "" && value(between) != "":
			return errors.New(
				"reproduce: -from builds an image again, and -between compares two builds; choose one")
		case value(between) != "" && (!two || a == "" || b == "" || strings.Contains(b, ",")):
			return errors.New(
				"reproduce: -between takes two files, such as -between=old/manifest.json,dist/manifest.json")
		case value(from) == "" && (want.Attest || want.Before || want.RequireSandbox ||
			want.AllowSubmodules || want.Mirror != "" || want.AllowLinkerFlags != nil):
			return errors.New(
				"reproduce: -attest, -mirror, -before, -requireSandbox, -allowLinkerFlag and " +
					"-allowSubmodules are for an image; give it with -from")
		case two:
			c, err := build.Between(ctx, s.options, a, b)
			if err != nil {
				return err
			}
			if err := s.compared(c, nil); err != nil || c.Same || !is(exitCode) {
				return err
			}
			return fmt.Errorf("reproduce: %s and %s are not the same", a, b)
		}
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find thimble's own executable: %w", err)
		}
		var r *report.Reproduction
		if ref := value(from); ref != "" {
			r, err = build.Rebuild(ctx, want, ref, []string{self})
		} else {
			r, err = build.Reproduce(ctx, s.options, []string{self})
		}
		if r == nil {
			return err
		}
		return errors.Join(s.compared(r.Comparison, r), err)
	})
}

// expected returns the flags of verify and reproduce that say whom to trust.
func expected(key, identity, identityRegexp, issuer, issuerRegexp, trustedRoot, source *string,
	noTransparencyLog, noCertificateLog *bool) build.VerifyOptions {
	return build.VerifyOptions{
		Keys: list(key), Identity: value(identity), IdentityRegexp: value(identityRegexp),
		Issuer: value(issuer), IssuerRegexp: value(issuerRegexp),
		TrustedRoot: value(trustedRoot), Source: value(source),
		NoTransparencyLog: is(noTransparencyLog), NoCertificateLog: is(noCertificateLog),
	}
}

// compared prints a comparison, and how it was made; r is nil if nothing was built.
func (s *session) compared(c *report.Comparison, r *report.Reproduction) error {
	s.progress.Close()
	if s.json {
		var v any = c
		if r != nil {
			v = r
		}
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(append(b, '\n'))
		return err
	}
	return writeComparison(os.Stdout, c, r)
}

// writeComparison writes the digests, the first differences from outer to inner parts, and the
// causes.
func writeComparison(out io.Writer, c *report.Comparison, r *report.Reproduction) error {
	w := bufio.NewWriter(out)
	plaintext.Fprintf(w, "\na  %s\nb  %s\n", c.A, c.B)
	if r != nil {
		plaintext.Fprintf(w, "\ncommit     %s\ntoolchain  %s\n", r.Revision, r.Toolchain)
		if r.Provenance != "" {
			plaintext.Fprintf(w, "signed by  %s\n", r.Provenance)
		}
		plaintext.Fprintf(w, "another    %s\n", strings.Join(r.Room, ", "))
		if r.Sandbox != nil {
			held := strings.Join(r.Sandbox.Held, ", ")
			if held == "" {
				held = "nothing held"
			}
			plaintext.Fprintf(w, "sandbox    %s\n", held)
			for _, refused := range r.Sandbox.Refused {
				plaintext.Fprintf(w, "lacks      %s\n", refused)
			}
		}
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range c.Compared {
		of := d.Platform
		if of == "" {
			of = "index"
		}
		if d.A == d.B {
			plaintext.Fprintf(t, "same\t%s\t%s\t%s\n", d.Image, of, d.A)
		} else {
			plaintext.Fprintf(t, "differs\t%s\t%s\ta  %s\n\t\t\tb  %s\n", d.Image, of, d.A, d.B)
		}
	}
	_ = t.Flush() // into a bufio.Writer, which keeps the error
	of := ""
	for _, d := range c.Differences {
		if where := strings.TrimSpace(d.Image + " " + d.Platform); where != of {
			of = where
			plaintext.Fprintf(w, "\n%s\n", of)
		} else if where == "" && d == c.Differences[0] {
			fmt.Fprintln(w)
		}
		where := d.Where
		if d.What != "" {
			where += ", " + d.What
		}
		plaintext.Fprintf(w, "  %-10s  %s\n              a  %s\n              b  %s\n",
			d.Depth, where, d.A, d.B)
	}
	if len(c.Causes) > 0 {
		fmt.Fprintln(w)
	}
	for _, cause := range c.Causes {
		plaintext.Fprintf(w, "cause: %s: %s\n", cause.Kind, cause.Detail)
	}
	for _, n := range c.Notes {
		plaintext.Fprintf(w, "note: %s\n", n)
	}
	if r == nil {
		return w.Flush()
	}
	if r.Attested > 0 {
		plaintext.Fprintf(w, "\nattested  %d statements are signed and attached\n", r.Attested)
	}
	plaintext.Fprintf(w, "\n%s in all\n", progress.Duration(r.Elapsed))
	return w.Flush()
}
