// Package signprogram compiles the magefiles package once more, with the build tag thimble_sign,
// and runs one target in that program. The tag adds build/signing to build/targets, and the
// repository's own magefiles/kms.go. So `mage image` does not wait for Sigstore's libraries.
//
// The program is beside the running one, and gets the target, its flags and Config as JSON through
// a pipe. Secrets go through another pipe; neither is in its arguments or its environment. It
// reads and verifies everything itself: no result of this process counts for a signature. It has
// the same terminal, and ends with this process.
package signprogram
