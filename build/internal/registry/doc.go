// Package registry writes to one repository of a container registry, and is the
// only code of the kit that uploads to registries or moves tags there. It takes
// finished images, indexes and referrers as go-containerregistry's values and
// decides nothing about their content: it knows no signatures and no documents.
//
// [Open] logs in once and gives a [Repository]. A release uses it in this order:
//
//	Preflight  may we write here, are the tags free, is the clock right
//	Push       an index with all that it refers to, by digest, children first
//	Attach     manifests that describe it: OCI 1.1 referrers, and cosign's tags
//	ReadBack   what is in the registry now, every manifest hashed
//	Tag        the only step that makes it visible by name
//
// Everything before Tag can be cut off at any point and leaves no tag moved; the
// same calls again find what is there already, upload the rest and nothing twice.
//
// A process should open a repository once and share the value: its calls to Attach
// take turns, so that the fallback tag of the referrers (OCI distribution-spec 1.1,
// "Referrers Tag Schema") loses no entry. Other processes that write the same
// subject are met by reading back and merging again.
//
// Package distribution makes the requests, repeats them in an outage and explains what a
// registry refuses; what an error never holds is said there.
package registry
