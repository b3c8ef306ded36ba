// Package signing links the code that signs and verifies: Sigstore's and cosign's libraries, which
// take longer to compile than everything else together. A program that calls build.Release,
// build.Sign, build.Verify, build.Keys, build.Rebuild or build.Resolve, that pins Debian's packages,
// or whose bases have signatures, imports it:
//
//	import _ "github.com/thimble-build/thimble/build/signing"
//
// Without it, these return build.ErrNotLinked before they do anything. Magefiles do not
// need the import: the targets compile a second program with it when they need it.
package signing

import (
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/openpgp"
	_ "github.com/thimble-build/thimble/build/internal/sigstore" // links itself
)

func init() {
	debian.LinkOpenPGP(func(keyring []byte) (debian.Keyring, error) { return openpgp.ReadKeyring(keyring) })
}
