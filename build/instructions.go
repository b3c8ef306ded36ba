package build

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/publish"
)

// emptyRoot is a trusted root of nobody, for clients that want one even where a key is
// all that counts.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}` + "\n"

// instructions stages dist/verify: a script of stock cosign's commands that verify this
// very release, what they need, and policies for two admission controllers. They are
// written relative to that folder.
func (rel *release) instructions(dist *publish.Dist) error {
	files := map[string][]byte{"verify/trusted_root.json": []byte(emptyRoot)}
	if file := rel.Config.Release.TrustedRoot; file != "" {
		b, err := os.ReadFile(rel.abs(file))
		if err != nil {
			return fmt.Errorf("read trusted root: %w", err)
		}
		files["verify/trusted_root.json"] = b
	}
	if len(rel.trust.Keys) > 0 {
		files["verify/cosign.pub"] = rel.trust.Keys[0].PEM()
	}
	commands := rel.commands()
	rel.done.VerifyCommands = commands
	var script bytes.Buffer
	script.WriteString("#!/bin/sh\n# Verifies " + rel.resolved.Plan.Version + " with cosign, " + rel.versions() + ".\nset -eu\ncd \"$(dirname \"$0\")\"\n")
	for _, c := range commands {
		script.WriteString(c + "\n")
	}
	files["verify/verify.sh"] = script.Bytes()
	for file, policy := range rel.policies() {
		b, err := yaml.Marshal(policy)
		if err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
		files["verify/"+file] = b
	}
	var errs []error
	for file, content := range files {
		errs = append(errs, dist.Write(file, content))
	}
	return errors.Join(errs...)
}

// commands verify every image's index, in every kind, and the checksums. A line that
// begins with # says what cannot be verified so.
func (rel *release) commands() []string {
	var all []string
	subject := func(form attest.Form, where, of string) {
		trust := strings.Join(rel.trustFlags(form), " ")
		all = append(all, "cosign verify "+trust+where+" "+of+" >/dev/null")
		for _, kind := range []string{"spdxjson", "cyclonedx", "slsaprovenance1", attest.TestResultType} {
			all = append(all, "cosign verify-attestation --type "+kind+" "+trust+where+" "+of+" >/dev/null")
		}
	}
	form := rel.verifiedForm()
	if form == attest.Tags && len(rel.trust.Identities) > 0 {
		all = append(all, "# cosign 2 stops at the attestations: in a tag, it verifies those of a key only.")
	}
	if len(rel.destinations) > 0 && form == attest.Bundles && rel.writes(attest.Tags) {
		all = append(all, "# cosign verifies the bundles; the tags .sig and .att, which it then passes over,",
			"# are for clients that know no bundles.")
	}
	if form == attest.Tags && len(rel.Config.Release.Logs) > 0 && rel.trust.TagsUnlogged {
		all = append(all, "# The tags have no place for the entries of a Rekor log of version 2: they are not verified.")
	}
	for _, d := range rel.destinations {
		where := ""
		if d.repo.Name().Scheme() == "http" {
			where = " --allow-http-registry"
		}
		subject(form, where, rel.referenceOf(d))
	}
	switch {
	case len(rel.destinations) > 0:
	case form == attest.Tags:
		for _, img := range rel.resolved.Plan.Images {
			subject(attest.Tags, " --local-image", path.Join("..", "oci", img.Name))
		}
	default:
		all = append(all, `# cosign reads no bundles from a layout: "mage verify" verifies the images.`)
	}
	if !rel.Config.Release.OmitArchives {
		all = append(all,
			"cosign verify-blob "+strings.Join(rel.trustFlags(attest.Bundles), " ")+" --bundle ../archives/checksums.txt.sigstore.json ../archives/checksums.txt",
			"(cd ../archives && sha256sum --quiet --strict -c checksums.txt)")
	}
	return all
}

// verifiedForm is the form that cosign looks at: in a registry bundles, where there are
// any, and in a layout tags only.
func (rel *release) verifiedForm() attest.Form {
	if rel.writes(attest.Bundles) && (len(rel.destinations) > 0 || !rel.writes(attest.Tags)) {
		return attest.Bundles
	}
	return attest.Tags
}

// versions are those of cosign that can verify all of this release.
func (rel *release) versions() string {
	if len(rel.trust.Identities) > 0 && rel.verifiedForm() == attest.Tags {
		return "3"
	}
	return "2.6 or 3"
}

func (rel *release) referenceOf(d destination) string {
	digest, err := rel.indexes[d.image.Name].Digest()
	if err != nil { // it was pushed by it
		return d.name
	}
	return d.name + "@" + digest.String()
}

func (rel *release) writes(form attest.Form) bool {
	forms := rel.Config.Release.Forms
	return len(forms) == 0 || strings.Contains(strings.Join(forms, ","), string(form))
}

// trustFlags say whose signature is expected, stored in a form. Both versions of cosign
// want a trusted root as soon as there is a bundle.
func (rel *release) trustFlags(form attest.Form) []string {
	flags := []string{"--key cosign.pub"}
	logged, stamped := rel.trust.RequireLog, rel.trust.RequireTimestamp
	if len(rel.trust.Identities) > 0 {
		id := rel.trust.Identities[0]
		flags = []string{"--certificate-identity " + quoted(id.Subject), "--certificate-oidc-issuer " + quoted(id.Issuer)}
		if rel.trust.AllowNoSCT {
			flags = append(flags, "--insecure-ignore-sct=true")
		}
		logged, stamped = !rel.trust.AllowUnlogged, len(rel.Config.Release.TimestampAuthorities) > 0
	}
	flags = append(flags, "--trusted-root trusted_root.json")
	if !logged || form == attest.Tags && rel.trust.TagsUnlogged {
		flags = append(flags, "--insecure-ignore-tlog=true")
	}
	if stamped {
		flags = append(flags, "--use-signed-timestamps=true")
	}
	return flags
}

// quoted is a word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
