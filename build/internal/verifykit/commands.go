package verifykit

import (
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// commands verify the index of every image, with every kind of statement, and the checksums. A
// line that begins with # says what cannot be verified this way.
func (r Release) commands() []string {
	var all []string
	subject := func(form attest.Form, where, of string) {
		trust := strings.Join(r.trustFlags(form), " ")
		all = append(all, "cosign verify "+trust+where+" "+of+" >/dev/null")
		for _, kind := range []string{"spdxjson", "cyclonedx", "slsaprovenance1", attest.TestResultType, attest.ReleaseType} {
			all = append(all, "cosign verify-attestation --type "+kind+" "+trust+where+" "+of+" >/dev/null")
		}
	}
	form := r.verifiedForm()
	if form == attest.Tags && r.keyless() {
		all = append(all, "# cosign 2 stops at the attestations: in a tag, it verifies those of a key only.")
	}
	if len(r.Images) > 0 && form == attest.Bundles && r.writes(attest.Tags) {
		all = append(all, "# cosign verifies the bundles; the tags .sig and .att, which it then passes over,",
			"# are for clients that know no bundles.")
	}
	if form == attest.Tags && len(r.Logs) > 0 && r.Trust.TagsUnlogged {
		all = append(all, "# The tags have no place for the entries of a Rekor log of version 2: they are not verified.")
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
		all = append(all, `# cosign reads no bundles from a layout: "mage verify" verifies the images.`)
	}
	if r.Archives {
		all = append(all,
			"cosign verify-blob "+strings.Join(r.trustFlags(attest.Bundles), " ")+" --bundle ../archives/checksums.txt.sigstore.json ../archives/checksums.txt",
			"(cd ../archives && sha256sum --quiet --strict -c checksums.txt)")
	}
	return all
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
		flags = []string{"--certificate-identity " + quoted(id.Subject), "--certificate-oidc-issuer " + quoted(id.Issuer)}
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
