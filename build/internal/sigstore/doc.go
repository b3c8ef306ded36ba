// Package sigstore implements [attest.Sigstore] with the libraries of Sigstore and cosign. It opens
// keys, signs and verifies bytes, and requests certificates, log entries and timestamps. It does
// not decide what a signature must be of, and it reads and writes no registry.
//
// A program that imports it links it. Only build/signing and tests do.
package sigstore

import "github.com/thimble-build/thimble/build/internal/attest"

// Library is the implementation. It has no state.
type Library struct{}

func init() { attest.Link(Library{}) }
