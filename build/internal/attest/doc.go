// Package attest signs images and the statements about them, and verifies both as a
// stranger would. It takes digests, statements and what is already stored, and gives
// finished manifests in the two forms that clients look for: Sigstore bundles as
// OCI 1.1 referrers, and the images of the tags sha256-<hex>.sig and .att.
//
// [Sign] with a [Signer] (a key of [OpenKey], or a [Keyless] identity) makes what is
// missing; [Verify] checks what was read, against a [Policy], and says of each check
// how it ended.
//
// attest talks to Sigstore's services, when a Signer asks for them, and to nothing
// else: what it makes is written to a registry, and what it verifies is read from
// there, by its caller. It prints nothing. Verification needs no network.
package attest
