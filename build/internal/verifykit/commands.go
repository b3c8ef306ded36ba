package verifykit

import (
	"bytes"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// check is one line of verify.sh.
type check struct {
	// what is checked, for a reader; empty if the command is a comment, which says what cannot be
	// verified this way.
	what, command string
}

// kinds are the statements about an image: their names in cosign, and for a reader.
var kinds = []struct{ cosign, what string }{
	{"spdxjson", "SPDX"}, {"cyclonedx", "CycloneDX"}, {"slsaprovenance1", "provenance"},
	{attest.TestResultType, "test result"}, {attest.ReleaseType, "release"},
}

// checks verify the index of every image, with every kind of statement, and the checksums.
func (r Release) checks() []check {
	var all []check
	comment := func(lines ...string) {
		for _, l := range lines {
			all = append(all, check{command: "# " + l})
		}
	}
	subject := func(form attest.Form, where, of string) {
		trust := strings.Join(r.trustFlags(form), " ")
		all = append(all, check{"signature of " + of, "cosign verify " + trust + where + " " + of})
		for _, kind := range kinds {
			all = append(all, check{kind.what + " of " + of,
				"cosign verify-attestation --type " + kind.cosign + " " + trust + where + " " + of})
		}
	}
	form := r.verifiedForm()
	if form == attest.Tags && r.keyless() {
		comment("cosign 2 stops at the attestations: in a tag, it verifies those of a key only.")
	}
	if len(r.Images) > 0 && form == attest.Bundles && r.writes(attest.Tags) {
		comment("cosign verifies the bundles; the tags .sig and .att, which it then passes over,",
			"are for clients that know no bundles.")
	}
	if form == attest.Tags && len(r.Logs) > 0 && r.Trust.TagsUnlogged {
		comment("The tags have no place for the entries of a Rekor log of version 2: they are not verified.")
	}
	for _, i := range r.Images {
		where := ""
		if i.PlainHTTP {
			where = " --allow-http-registry"
		}
		subject(form, where, i.Reference)
	}
	switch {
	case len(r.Images) > 0:
	case form == attest.Tags:
		for _, name := range r.Layouts {
			subject(attest.Tags, " --local-image", path.Join("..", "oci", name))
		}
	default:
		comment(`cosign reads no bundles from a layout: "mage verify" verifies the images.`)
	}
	if r.Archives {
		all = append(all,
			check{"signature of the checksums", "cosign verify-blob " +
				strings.Join(r.trustFlags(attest.Bundles), " ") +
				" --bundle ../archives/checksums.txt.sigstore.json ../archives/checksums.txt"},
			check{"archives", "sh -c 'cd ../archives && sha256sum --quiet --strict -c checksums.txt'"})
	}
	return all
}

// run is the beginning of verify.sh: a check prints one line, and what its command printed only if it
// fails.
const run = `set -u
cd "$(dirname "$0")" || exit 1
failed=0
check() {
	what=$1
	shift
	if out=$("$@" 2>&1); then
		printf 'ok      %s\n' "$what"
	else
		failed=1
		printf 'FAILED  %s\n%s\n' "$what" "$out" >&2
	fi
}
`

// script returns verify.sh.
func (r Release) script() []byte {
	var b bytes.Buffer
	b.WriteString("#!/bin/sh\n# Verifies " + r.Version + " with cosign, " + r.cosignVersions() + ".\n" + run)
	for _, c := range r.checks() {
		if c.what != "" {
			b.WriteString("check " + quoted(c.what) + " ")
		}
		b.WriteString(c.command + "\n")
	}
	b.WriteString("exit $failed\n")
	return b.Bytes()
}

// verifiedForm is the form that cosign reads: in a registry bundles, if there are any, and in a
// layout only tags.
func (r Release) verifiedForm() attest.Form {
	if r.writes(attest.Bundles) && (len(r.Images) > 0 || !r.writes(attest.Tags)) {
		return attest.Bundles
	}
	return attest.Tags
}

// cosignVersions are the versions that can verify all of this release.
func (r Release) cosignVersions() string {
	if r.keyless() && r.verifiedForm() == attest.Tags {
		return "3"
	}
	return "2.6 or 3"
}

// trustFlags name the expected signer of signatures stored in a form. Both versions of cosign
// require a trusted root as soon as there is a bundle.
func (r Release) trustFlags(form attest.Form) []string {
	flags := []string{"--key cosign.pub"}
	logged, stamped := r.Trust.RequireLog, r.Trust.RequireTimestamp
	if r.keyless() {
		id := r.Trust.Identities[0]
		flags = []string{"--certificate-identity " + quoted(id.Subject),
			"--certificate-oidc-issuer " + quoted(id.Issuer)}
		if r.Trust.AllowNoSCT {
			flags = append(flags, "--insecure-ignore-sct=true")
		}
		logged, stamped = !r.Trust.AllowUnlogged, len(r.TimestampAuthorities) > 0
	}
	flags = append(flags, "--trusted-root trusted_root.json")
	if !logged || form == attest.Tags && r.Trust.TagsUnlogged {
		flags = append(flags, "--insecure-ignore-tlog=true")
	}
	if stamped {
		flags = append(flags, "--use-signed-timestamps=true")
	}
	return flags
}

// quoted returns a word quoted for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
