// Package attest signs images and the statements about them, and verifies both as a user would.
// Its input is digests, statements and what is already stored. It returns finished manifests in
// the two forms that clients read: Sigstore bundles as OCI 1.1 referrers, and the images of the
// tags sha256-<hex>.sig and .att.
//
// [Sign] with a [Signer] (a key of [OpenKey], or a [Keyless] identity) makes what is missing.
// [Verify] checks what was read with a [Policy], and returns the result of each check.
//
// The cryptography is in package sigstore, behind [Sigstore], because its libraries take longer to
// compile than everything else together: a program that does not link it gets [ErrNotLinked].
//
// attest connects only to Sigstore's services, when a Signer uses them. Its caller writes the
// results to a registry, and reads from there what attest verifies. It prints nothing.
// Verification needs no network.
package attest
