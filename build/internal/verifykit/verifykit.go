// Package verifykit writes the files with which a deployer verifies a release: a script of stock
// cosign's commands, the keys that they need, and policies for two admission controllers of
// Kubernetes. It takes the facts about the release and returns the files of one folder. It reads
// nothing, uses no network, and verifies nothing itself.
package verifykit

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/plan"
)

// Release describes the release to verify.
type Release struct {
	// Version is the release's, Module the path of the service's module.
	Version, Module string
	// Images are in registries. If there are none, Layouts are the names of the images whose
	// layouts are in the folder oci next to the kit's folder.
	Images  []Image
	Layouts []string
	// Archives says that the folder archives, next to the kit's folder, has archives and their
	// signed checksums.
	Archives bool

	// Trust is the expected signer, Forms are the forms in which the signatures are stored.
	Trust attest.Trust
	Forms []attest.Form
	// TrustedRoot is the content of Sigstore's trusted_root.json; empty if there is none.
	TrustedRoot []byte
	// Logs, TimestampAuthorities and Fulcio are the services that the signer has used.
	Logs                 []plan.TransparencyLog
	TimestampAuthorities []string
	Fulcio               string
}

// Image is an image in a registry.
type Image struct {
	// Reference is its name with the digest, Repository the full name of its repository, such
	// as index.docker.io/acme/api.
	Reference, Repository string
	// PlainHTTP says that the registry is reached without TLS.
	PlainHTTP bool
}

// Kit has the files that verify a release.
type Kit struct {
	// Files are the files' contents by their names. Paths in them are relative to their folder.
	Files map[string][]byte
	// Commands are the commands of verify.sh.
	Commands []string
}

// emptyRoot is a trusted root without authorities, for clients that require one even if only a
// key is used.
const emptyRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}` + "\n"

// Make returns the kit of a release.
func Make(r Release) (Kit, error) {
	kit := Kit{Files: map[string][]byte{"trusted_root.json": []byte(emptyRoot)}}
	for _, c := range r.checks() {
		kit.Commands = append(kit.Commands, c.command)
	}
	if len(r.TrustedRoot) > 0 {
		kit.Files["trusted_root.json"] = r.TrustedRoot
	}
	if len(r.Trust.Keys) > 0 {
		kit.Files["cosign.pub"] = r.Trust.Keys[0].PEM()
	}
	kit.Files["verify.sh"] = r.script()
	for file, policy := range r.policies() {
		b, err := yaml.Marshal(policy)
		if err != nil {
			return Kit{}, fmt.Errorf("write %s: %w", file, err)
		}
		kit.Files[file] = b
	}
	return kit, nil
}

// writes says whether signatures are stored in a form.
func (r Release) writes(form attest.Form) bool { return slices.Contains(r.Forms, form) }

// keyless says whether an identity has signed.
func (r Release) keyless() bool { return len(r.Trust.Identities) > 0 }
