// Package describe writes and reads the predicates of a release's attestations: SLSA v1 provenance,
// the in-toto test result, and the SLSA verification summary of a rebuild. [Provenance] and
// [TestResult] are what a release needs; [ReadProvenance] returns what is needed to build again.
//
// It takes the plan, the user's settings, the inputs of the SBOMs and facts about the run. It
// returns canonical JSON: the same input in any order gives the same bytes. No setting is written
// that is not listed on the build type's page, and no URL has credentials, a query or a fragment.
//
// The package signs nothing and does not write the Statement around a predicate: see package attest.
// It reads no files, no environment and no clock.
package describe
