package build

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/plan"
)

// object is a mapping of YAML, whose keys are sorted when it is written.
type object = map[string]any

// policies are those of two admission controllers, by the name of their files: each
// admits these images, in any version, only with this signer's signature and provenance.
// What a controller cannot verify has no policy.
func (rel *release) policies() object {
	all := object{}
	if len(rel.destinations) == 0 {
		return all // nothing that a cluster could pull
	}
	if rel.writes(attest.Tags) {
		all["kyverno.yaml"] = rel.kyverno()
	}
	keyless := len(rel.trust.Identities) > 0
	if form := rel.policyControllerForm(); form != "" {
		all["policy-controller.yaml"] = rel.policyController(form)
		if keyless {
			all["policy-controller-root.yaml"] = rel.trustRoot()
		}
	}
	return all
}

// policyControllerForm is the form in which policy-controller 0.13 can verify this
// release, if there is one. It reads no bundle of a key, and none with an entry of a
// Rekor log of version 2.
func (rel *release) policyControllerForm() attest.Form {
	keyless := len(rel.trust.Identities) > 0
	unread := slices.ContainsFunc(rel.Config.Release.Logs, func(l plan.TransparencyLog) bool { return l.Version == 2 })
	switch {
	case rel.writes(attest.Tags) && (!keyless || len(rel.timestampAuthorities()) > 0):
		return attest.Tags
	case rel.writes(attest.Bundles) && keyless && !unread:
		return attest.Bundles
	case rel.writes(attest.Tags):
		return attest.Tags
	}
	return ""
}

// globs are the images that a policy is about: any tag and any digest of these
// repositories, and no other repository whose name begins like theirs.
func (rel *release) globs() []string {
	var globs []string
	for _, d := range rel.destinations {
		globs = append(globs, d.repo.Name().Name()+":*", d.repo.Name().Name()+"@*")
	}
	return globs
}

// kyverno is a ClusterPolicy (kyverno.io/v1). Kyverno verifies what is in tags.
func (rel *release) kyverno() any {
	var entries []any
	// An address must be there even where no log is asked, and its default is the public one.
	rekor := object{"ignoreTlog": true, "url": "https://no-log.invalid"}
	for _, log := range rel.logs() {
		if !rel.trust.TagsUnlogged {
			rekor = object{"url": log.url, "pubkey": log.key}
		}
	}
	for _, key := range rel.trust.Keys {
		// Without ctlog, it asks for the public Sigstore's logs, for a key too.
		keys := object{"publicKeys": string(key.PEM()), "rekor": rekor, "ctlog": object{"ignoreSCT": true}}
		entries = append(entries, object{"keys": keys})
	}
	for _, id := range rel.trust.Identities {
		ctlog := object{"ignoreSCT": rel.trust.AllowNoSCT}
		for _, log := range transparencyLogs(rel.trust.TrustedRoot.CTLogs()) {
			ctlog["pubkey"] = log.key
		}
		for _, a := range rel.timestampAuthorities() {
			ctlog["tsaCertChain"] = a.chain
		}
		keyless := object{"subject": id.Subject, "issuer": id.Issuer, "rekor": rekor, "ctlog": ctlog}
		var roots strings.Builder
		for _, a := range rel.certificateAuthorities() {
			roots.WriteString(a.chain)
		}
		keyless["roots"] = roots.String()
		entries = append(entries, object{"keyless": keyless})
	}
	attestors := []any{object{"count": 1, "entries": entries}}
	var globs []string
	for _, g := range rel.globs() {
		globs = append(globs, strings.Replace(g, "index.docker.io/", "docker.io/", 1))
	}
	return object{
		"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
		"metadata": object{"name": rel.policyName()},
		"spec": object{
			"webhookConfiguration": object{"failurePolicy": "Fail", "timeoutSeconds": 30},
			"rules": []any{object{
				"name":  "signed",
				"match": object{"any": []any{object{"resources": object{"kinds": []string{"Pod"}}}}},
				"verifyImages": []any{object{
					"imageReferences": globs, "failureAction": "Enforce", "attestors": attestors,
					"attestations": []any{object{"type": attest.ProvenanceType, "attestors": attestors}},
				}},
			}},
		},
	}
}

// policyController is a ClusterImagePolicy of Sigstore's policy-controller, which an
// image passes that any of the authorities has signed.
func (rel *release) policyController(form attest.Form) any {
	var authorities []any
	add := func(authority object) {
		authority["attestations"] = []any{object{"name": "provenance", "predicateType": attest.ProvenanceType}}
		authorities = append(authorities, authority)
	}
	for i, key := range rel.trust.Keys {
		add(object{"name": fmt.Sprint("key-", i+1), "key": object{"data": string(key.PEM())}})
	}
	for _, id := range rel.trust.Identities {
		authority := object{"name": "identity", "keyless": object{
			"url": rel.Config.Release.Keyless.Fulcio, "trustRootRef": rel.policyName(), "insecureIgnoreSCT": rel.trust.AllowNoSCT,
			"identities": []any{object{"subject": id.Subject, "issuer": id.Issuer}},
		}}
		if form == attest.Bundles {
			authority["signatureFormat"] = "bundle"
		}
		if len(rel.timestampAuthorities()) > 0 {
			authority["rfc3161timestamp"] = object{"trustRootRef": rel.policyName()}
		} else { // beside timestamps it looks at no log
			authority["ctlog"] = object{"trustRootRef": rel.policyName()}
		}
		add(authority)
	}
	var images []any
	for _, g := range rel.globs() {
		images = append(images, object{"glob": g})
	}
	return object{
		"apiVersion": "policy.sigstore.dev/v1beta1", "kind": "ClusterImagePolicy",
		"metadata": object{"name": rel.policyName()},
		"spec":     object{"images": images, "authorities": authorities},
	}
}

// trustRoot is policy-controller's TrustRoot: what is in the trusted root that it can
// read.
func (rel *release) trustRoot() any {
	authorities := func(all []authority) []any {
		var list []any
		for _, a := range all {
			list = append(list, object{
				"subject": object{"organization": a.organization, "commonName": a.name}, "uri": a.url,
				"certChain": base64.StdEncoding.EncodeToString([]byte(a.chain)),
			})
		}
		return list
	}
	keys := object{"certificateAuthorities": authorities(rel.certificateAuthorities())}
	stamps := authorities(rel.timestampAuthorities())
	if len(stamps) > 0 {
		keys["timestampAuthorities"] = stamps
	}
	logs := func(all []transparencyLog) []any {
		var list []any
		for _, l := range all {
			list = append(list, object{"baseURL": l.url, "hashAlgorithm": "sha-256", "publicKey": base64.StdEncoding.EncodeToString([]byte(l.key))})
		}
		return list
	}
	if list := logs(rel.logs()); len(list) > 0 && len(stamps) == 0 { // the keys of Rekor 2 are unknown to it
		keys["tLogs"] = list
	}
	if list := logs(transparencyLogs(rel.trust.TrustedRoot.CTLogs())); len(list) > 0 {
		keys["ctLogs"] = list
	}
	return object{
		"apiVersion": "policy.sigstore.dev/v1alpha1", "kind": "TrustRoot",
		"metadata": object{"name": rel.policyName()},
		"spec":     object{"sigstoreKeys": keys},
	}
}

// authority is a certificate authority of a trusted root; chain is in PEM, the root last.
type authority struct{ organization, name, url, chain string }

func newAuthority(url string, chain ...*x509.Certificate) authority {
	a := authority{url: url}
	for _, c := range chain {
		if c != nil {
			a.chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
			a.name = c.Subject.CommonName
			a.organization = strings.Join(c.Subject.Organization, " ")
		}
	}
	// policy-controller wants both.
	if a.name == "" {
		a.name = url
	}
	if a.organization == "" {
		a.organization = a.name
	}
	return a
}

func (rel *release) certificateAuthorities() (all []authority) {
	if rel.trust.TrustedRoot == nil {
		return nil
	}
	for _, ca := range rel.trust.TrustedRoot.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			all = append(all, newAuthority(f.URI, append(slices.Clone(f.Intermediates), f.Root)...))
		}
	}
	return all
}

// timestampAuthorities are those that the release has used, if it has used any.
func (rel *release) timestampAuthorities() (all []authority) {
	if rel.trust.TrustedRoot == nil || len(rel.Config.Release.TimestampAuthorities) == 0 {
		return nil
	}
	for _, tsa := range rel.trust.TrustedRoot.TimestampingAuthorities() {
		if s, ok := tsa.(*root.SigstoreTimestampingAuthority); ok {
			all = append(all, newAuthority(s.URI, append(append([]*x509.Certificate{s.Leaf}, s.Intermediates...), s.Root)...))
		}
	}
	return all
}

// transparencyLog is a log of a trusted root; key is in PEM.
type transparencyLog struct{ url, key string }

// logs are those that the release has used, if it has used any.
func (rel *release) logs() []transparencyLog {
	if rel.trust.TrustedRoot == nil || len(rel.Config.Release.Logs) == 0 {
		return nil
	}
	return transparencyLogs(rel.trust.TrustedRoot.RekorLogs())
}

func transparencyLogs(logs map[string]*root.TransparencyLog) (all []transparencyLog) {
	for _, l := range logs {
		key, err := cryptoutils.MarshalPublicKeyToPEM(crypto.PublicKey(l.PublicKey))
		if err == nil { // it was read from such a text
			all = append(all, transparencyLog{l.BaseURL, string(key)})
		}
	}
	slices.SortFunc(all, func(a, b transparencyLog) int { return strings.Compare(a.url+a.key, b.url+b.key) })
	return all
}

// policyName is a name of Kubernetes' for the module: lower-case letters, digits and
// hyphens.
func (rel *release) policyName() string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(rel.resolved.Plan.Module.Path))
	return "verify-" + strings.Trim(clean[max(0, len(clean)-200):], "-")
}
