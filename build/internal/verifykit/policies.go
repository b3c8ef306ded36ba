package verifykit

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/plan"
)

// object is a mapping of YAML, whose keys are sorted when it is written.
type object = map[string]any

// policies are those of two admission controllers, by file name: each admits these images, in any
// version, only with this signer's signature and provenance. There is no policy if a controller
// cannot verify the release.
func (r Release) policies() object {
	all := object{}
	if len(r.Images) == 0 {
		return all // nothing that a cluster could pull
	}
	if r.writes(attest.Tags) {
		all["kyverno.yaml"] = r.kyverno()
	}
	if form := r.policyControllerForm(); form != "" {
		all["policy-controller.yaml"] = r.policyController(form)
		if r.keyless() {
			all["policy-controller-root.yaml"] = r.trustRoot()
		}
	}
	return all
}

// policyControllerForm is the form in which policy-controller 0.13 can verify this release, if
// there is one. It reads no bundle of a key, and none with an entry of a Rekor log of version 2.
func (r Release) policyControllerForm() attest.Form {
	unread := slices.ContainsFunc(r.Logs, func(l plan.TransparencyLog) bool { return l.Version == 2 })
	switch {
	case r.writes(attest.Tags) && (!r.keyless() || len(r.timestampAuthorities()) > 0):
		return attest.Tags
	case r.writes(attest.Bundles) && r.keyless() && !unread:
		return attest.Bundles
	case r.writes(attest.Tags):
		return attest.Tags
	}
	return ""
}

// globs are the images of a policy: any tag and any digest of exactly these repositories, not of
// repositories whose names only begin with these.
func (r Release) globs() []string {
	var globs []string
	for _, i := range r.Images {
		globs = append(globs, i.Repository+":*", i.Repository+"@*")
	}
	return globs
}

// kyverno is a ClusterPolicy (kyverno.io/v1). Kyverno verifies what is in tags.
func (r Release) kyverno() any {
	var entries []any
	// An address must be there even where no log is asked, and its default is the public one.
	rekor := object{"ignoreTlog": true, "url": "https://no-log.invalid"}
	for _, log := range r.logs() {
		if !r.Trust.TagsUnlogged {
			rekor = object{"url": log.url, "pubkey": log.key}
		}
	}
	for _, key := range r.Trust.Keys {
		// Without ctlog, it asks for the public Sigstore's logs, for a key too.
		keys := object{"publicKeys": string(key.PEM()), "rekor": rekor, "ctlog": object{"ignoreSCT": true}}
		entries = append(entries, object{"keys": keys})
	}
	for _, id := range r.Trust.Identities {
		ctlog := object{"ignoreSCT": r.Trust.AllowNoSCT}
		for _, log := range transparencyLogs(r.Trust.Root().CTLogs) {
			ctlog["pubkey"] = log.key
		}
		for _, a := range r.timestampAuthorities() {
			ctlog["tsaCertChain"] = a.chain
		}
		keyless := object{"subject": id.Subject, "issuer": id.Issuer, "rekor": rekor, "ctlog": ctlog}
		var roots strings.Builder
		for _, a := range r.certificateAuthorities() {
			roots.WriteString(a.chain)
		}
		keyless["roots"] = roots.String()
		entries = append(entries, object{"keyless": keyless})
	}
	attestors := []any{object{"count": 1, "entries": entries}}
	var globs []string
	for _, g := range r.globs() {
		globs = append(globs, strings.Replace(g, "index.docker.io/", "docker.io/", 1))
	}
	return object{
		"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy",
		"metadata": object{"name": r.policyName()},
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
func (r Release) policyController(form attest.Form) any {
	var authorities []any
	add := func(authority object) {
		authority["attestations"] = []any{object{"name": "provenance",
			"predicateType": attest.ProvenanceType}}
		authorities = append(authorities, authority)
	}
	for i, key := range r.Trust.Keys {
		add(object{"name": fmt.Sprint("key-", i+1), "key": object{"data": string(key.PEM())}})
	}
	for _, id := range r.Trust.Identities {
		authority := object{"name": "identity", "keyless": object{
			"url": r.Fulcio, "trustRootRef": r.policyName(), "insecureIgnoreSCT": r.Trust.AllowNoSCT,
			"identities": []any{object{"subject": id.Subject, "issuer": id.Issuer}},
		}}
		if form == attest.Bundles {
			authority["signatureFormat"] = "bundle"
		}
		if len(r.timestampAuthorities()) > 0 {
			authority["rfc3161timestamp"] = object{"trustRootRef": r.policyName()}
		} else { // beside timestamps it looks at no log
			authority["ctlog"] = object{"trustRootRef": r.policyName()}
		}
		add(authority)
	}
	var images []any
	for _, g := range r.globs() {
		images = append(images, object{"glob": g})
	}
	return object{
		"apiVersion": "policy.sigstore.dev/v1beta1", "kind": "ClusterImagePolicy",
		"metadata": object{"name": r.policyName()},
		"spec":     object{"images": images, "authorities": authorities},
	}
}

// trustRoot is policy-controller's TrustRoot: what is in the trusted root that it can
// read.
func (r Release) trustRoot() any {
	list := func(all []authority) []any {
		var objects []any
		for _, a := range all {
			objects = append(objects, object{
				"subject": object{"organization": a.organization, "commonName": a.name}, "uri": a.url,
				"certChain": base64.StdEncoding.EncodeToString([]byte(a.chain)),
			})
		}
		return objects
	}
	keys := object{"certificateAuthorities": list(r.certificateAuthorities())}
	stamps := list(r.timestampAuthorities())
	if len(stamps) > 0 {
		keys["timestampAuthorities"] = stamps
	}
	logs := func(all []transparencyLog) []any {
		var list []any
		for _, l := range all {
			list = append(list, object{"baseURL": l.url, "hashAlgorithm": "sha-256",
				"publicKey": base64.StdEncoding.EncodeToString([]byte(l.key))})
		}
		return list
	}
	if list := logs(r.logs()); len(list) > 0 && len(stamps) == 0 { // the keys of Rekor 2 are unknown to it
		keys["tLogs"] = list
	}
	if list := logs(transparencyLogs(r.Trust.Root().CTLogs)); len(list) > 0 {
		keys["ctLogs"] = list
	}
	return object{
		"apiVersion": "policy.sigstore.dev/v1alpha1", "kind": "TrustRoot",
		"metadata": object{"name": r.policyName()},
		"spec":     object{"sigstoreKeys": keys},
	}
}

// policyName is a name of Kubernetes' for the module: lower-case letters, digits and
// hyphens.
func (r Release) policyName() string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(r.Module))
	return "verify-" + strings.Trim(clean[max(0, len(clean)-200):], "-")
}
