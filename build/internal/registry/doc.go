// Package registry writes to one repository of a container registry. It is the only code of
// thimble that uploads to registries or moves tags there. It takes finished images, indexes and
// referrers as go-containerregistry's values. It makes no decisions about their content, and
// knows nothing about signatures and documents.
//
// [Open] logs in once and returns a [Repository]. A release uses it in this order:
//
//	Preflight  is writing allowed, are the tags free, is the clock right
//	Push       an index with everything that it refers to, by digest, children first
//	Attach     manifests that describe it: OCI 1.1 referrers, and cosign's tags
//	ReadBack   what is in the registry now, every manifest hashed
//	Tag        the only step that makes it visible by name
//
// Everything before Tag can be interrupted at any point without moving a tag. The same calls
// again find what is already there and upload only the rest.
//
// A process should open a repository once and share the value. Its calls to Attach run one
// after the other, so that the fallback tag of the referrers (OCI distribution-spec 1.1,
// "Referrers Tag Schema") loses no entry. If other processes write referrers of the same
// subject, Attach reads back and merges again.
//
// Package distribution makes the requests, repeats them in an outage and explains a registry's
// refusal; its documentation says what an error never contains.
package registry
