// Package report has what thimble returns to its callers and writes for programs: the manifest of
// what was made, and the results of verifying, comparing, reproducing and diagnosing. The types are
// data, with their JSON. Sizes are in bytes.
//
// The package reads and writes no file; package build fills the types in.
package report
