package debian

import (
	"embed"
	"fmt"
	"time"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// keys are the public keys of Debian's archive; keys/README.md documents their origin.
//
//go:embed keys/*.pgp
var keys embed.FS

// ArchiveKeys returns the keys of Debian's archive in the kit, in binary form.
func ArchiveKeys() ([]byte, error) {
	files, err := keys.ReadDir("keys")
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, f := range files {
		b, err := keys.ReadFile("keys/" + f.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return all, nil
}

// Keyring contains trusted keys.
type Keyring interface {
	// Verify returns the text of a cleartext-signed message (RFC 9580 section 7), if one of its
	// signatures is by a key of the keyring that was valid at the time now. It returns exactly the
	// signed bytes, and nothing else.
	Verify(message []byte, now time.Time) ([]byte, error)
}

var readKeys func(keyring []byte) (Keyring, error)

// LinkOpenPGP sets what reads keyrings: package openpgp. Only [Lock] needs it. build/signing calls
// LinkOpenPGP before main, because the package takes long to compile.
func LinkOpenPGP(read func(keyring []byte) (Keyring, error)) { readKeys = read }

func readKeyring(keyring []byte) (Keyring, error) {
	if readKeys == nil {
		return nil, attest.ErrNotLinked
	}
	list, err := readKeys(keyring)
	if err != nil {
		return nil, fmt.Errorf("read the trusted keys: %w", err)
	}
	return list, nil
}
