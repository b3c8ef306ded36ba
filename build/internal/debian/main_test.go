package debian

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/openpgp"
)

// realCache is shared by the tests that read the real archive; TestMain removes it.
// THIMBLE_TEST_DEBIAN_CACHE names one that stays.
var realCache = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("THIMBLE_TEST_DEBIAN_CACHE"); dir != "" {
		return dir, nil
	}
	return os.MkdirTemp("", "thimble-debian-")
})

func TestMain(m *testing.M) {
	pause = time.Millisecond
	LinkOpenPGP(func(keyring []byte) (Keyring, error) { return openpgp.ReadKeyring(keyring) })
	code := m.Run()
	if dir, err := realCache(); err == nil && os.Getenv("THIMBLE_TEST_DEBIAN_CACHE") == "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}
