package verifykit

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/attest"
	_ "github.com/thimble-build/thimble/build/internal/sigstore"
	"github.com/thimble-build/thimble/build/plan"
)

// What a kit has depends on where the images are, who signs, and in which forms.
func TestMake(t *testing.T) {
	key, err := attest.NewDevelopmentKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := attest.NewSigner(key, attest.Services{})
	if err != nil {
		t.Fatal(err)
	}
	both := []attest.Form{attest.Bundles, attest.Tags}
	images := []Image{{Reference: "docker.io/acme/api@sha256:ab", Repository: "index.docker.io/acme/api"}}
	local := []Image{{Reference: "localhost:5000/acme/api@sha256:ab", Repository: "localhost:5000/acme/api", PlainHTTP: true}}
	withKey := attest.Trust{Keys: []*attest.PublicKey{signer.PublicKey()}}
	for name, test := range map[string]struct {
		release Release
		files   []string
		// has and lacks are words of a file.
		file       string
		has, lacks []string
	}{
		"a key, in both forms": {
			Release{Images: images, Trust: withKey, Forms: both, Archives: true},
			[]string{"cosign.pub", "kyverno.yaml", "policy-controller.yaml", "trusted_root.json", "verify.sh"},
			"verify.sh", []string{
				"# Verifies v1.2.3 with cosign, 2.6 or 3.", "cosign verify --key cosign.pub --trusted-root trusted_root.json --insecure-ignore-tlog=true docker.io/acme/api@sha256:ab\n",
				"verify-attestation --type slsaprovenance1", "verify-attestation --type " + attest.ReleaseType, "# cosign verifies the bundles", "sha256sum --quiet --strict -c checksums.txt",
			}, []string{"--allow-http-registry", "oci/"},
		},
		"Kyverno knows Docker Hub by another name": {
			Release{Images: images, Trust: withKey, Forms: both},
			[]string{"cosign.pub", "kyverno.yaml", "policy-controller.yaml", "trusted_root.json", "verify.sh"},
			"kyverno.yaml", []string{"- docker.io/acme/api:*", "- docker.io/acme/api@*", "name: verify-example-com-team-api", "BEGIN PUBLIC KEY"}, []string{"index.docker.io"},
		},
		"no controller verifies a bundle of a key": {
			Release{Images: local, Trust: withKey, Forms: []attest.Form{attest.Bundles}},
			[]string{"cosign.pub", "trusted_root.json", "verify.sh"},
			"verify.sh", []string{" --allow-http-registry localhost:5000/acme/api@sha256:ab"}, []string{"archives", "# cosign verifies the bundles"},
		},
		"a log of version 2 has no place in tags": {
			Release{
				Images: images, Forms: []attest.Form{attest.Tags}, Logs: []plan.TransparencyLog{{URL: "https://log", Version: 2}},
				Trust: attest.Trust{Keys: withKey.Keys, TagsUnlogged: true, RequireLog: true},
			},
			[]string{"cosign.pub", "kyverno.yaml", "policy-controller.yaml", "trusted_root.json", "verify.sh"},
			"verify.sh", []string{"# The tags have no place", "--insecure-ignore-tlog=true"}, nil,
		},
		"a layout": {
			Release{Layouts: []string{"api", "job"}, Trust: withKey, Forms: both},
			[]string{"cosign.pub", "trusted_root.json", "verify.sh"},
			"verify.sh", []string{"--local-image ../oci/api\n", "--local-image ../oci/job\n"}, []string{"mage verify"},
		},
		"a layout with bundles alone": {
			Release{Layouts: []string{"api"}, Trust: withKey, Forms: []attest.Form{attest.Bundles}},
			[]string{"cosign.pub", "trusted_root.json", "verify.sh"},
			"verify.sh", []string{`# cosign reads no bundles from a layout: "mage verify"`}, []string{"cosign verify "},
		},
		"an identity": {
			Release{Layouts: []string{"api"}, Forms: both, TrustedRoot: []byte("{}"), TimestampAuthorities: []string{"https://tsa"}, Trust: attest.Trust{
				Identities: []attest.Identity{{Subject: "o'hara@example.com", Issuer: "https://issuer"}}, AllowNoSCT: true,
			}},
			[]string{"trusted_root.json", "verify.sh"},
			"verify.sh", []string{
				"with cosign, 3.", `--certificate-identity 'o'\''hara@example.com' --certificate-oidc-issuer 'https://issuer' --insecure-ignore-sct=true`,
				"--use-signed-timestamps=true", "# cosign 2 stops at the attestations",
			}, []string{"cosign.pub", "--insecure-ignore-tlog"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.release.Version, test.release.Module = "v1.2.3", "example.com/Team/api"
			kit, err := Make(test.release)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(kit.Files)); !slices.Equal(got, test.files) {
				t.Errorf("the files are %q, want %q", got, test.files)
			}
			text := string(kit.Files[test.file])
			for _, words := range test.has {
				if !strings.Contains(text, words) {
					t.Errorf("%s has no %q:\n%s", test.file, words, text)
				}
			}
			for _, words := range test.lacks {
				if strings.Contains(text, words) {
					t.Errorf("%s has %q:\n%s", test.file, words, text)
				}
			}
			for _, c := range kit.Commands {
				if !strings.Contains(string(kit.Files["verify.sh"]), c+"\n") {
					t.Errorf("verify.sh does not run %q", c)
				}
			}
		})
	}
}
