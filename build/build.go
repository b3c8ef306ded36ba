// Package build is thimble's public API, and the only package that knows the order of the
// stages:
//
//	Config ─▶ resolve ─▶ Draft ─▶ pipeline ─▶ Plan, images ─▶ output
//	                                              └─▶ push by digest ─▶ attest ─▶ verify ─▶ tag
//
// Most callers need Image, which runs all stages and returns a Result. Binaries stops after the
// compiler, Plan before it. The Mage targets in build/targets are thin: they read flags, call
// one function of this package, and print the result.
//
// A run writes only to Config.Dist and to its cache folder. The output folder changes only when
// everything has succeeded. Functions that build wait for another run with the same output folder.
//
// Every function ends soon after its context, with an error. Only Verify, Reproduce and Rebuild
// return a report together with an error; they say when.
package build

import (
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/offline"
)

// ErrOffline is the error of a run with Options.Offline that needs another machine. ErrNotLinked is
// that of a function that signs or verifies, in a program that does not import build/signing.
var ErrOffline, ErrNotLinked = offline.ErrOffline, attest.ErrNotLinked
