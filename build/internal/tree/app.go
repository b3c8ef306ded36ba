package tree

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/thimble-build/thimble/build/internal/capability"
)

// appFormat is part of AppKey; it changes whenever App returns another tree for the same inputs.
const appFormat = "thimble app 2"

// LicensesPath is the path in the image of the licence texts of the binary's modules.
const LicensesPath = "/licenses/third-party.txt"

// AppPath returns the absolute path in the image of the binary of the image name.
func AppPath(name string) string { return "/app/" + name }

// App returns the tree with a service's binary of size bytes, with these file capabilities, and,
// unless licenses is empty, the licence texts that must accompany it.
func App(name string, size int64, binary func() (io.ReadCloser, error), capabilities []string,
	licenses []byte) (*Tree, error) {
	caps, err := capability.Encode(capabilities)
	if err != nil {
		return nil, fmt.Errorf("add the binary: %w", err)
	}
	t := &Tree{}
	err = t.Add(Node{
		Path: AppPath(name)[1:], Mode: 0o755, Size: size, Capabilities: caps, Open: binary,
	})
	if err == nil && len(licenses) > 0 {
		err = t.Add(Bytes(LicensesPath[1:], 0o644, licenses))
	}
	return t, err
}

// AppKey returns a key that is equal only if App returns the same tree. The binary's SHA-256 is
// in hex.
func AppKey(name, binarySHA256 string, capabilities []string, licenses []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n%q\n%x\n", appFormat, name, binarySHA256, capabilities,
		sha256.Sum256(licenses))
	return hex.EncodeToString(h.Sum(nil))
}
