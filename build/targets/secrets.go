package targets

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/secret"
)

// secrets are the variables of this program's environment that no process which it starts
// may see. They are taken before main, while nothing runs yet; Mage leaves no other place.
var secrets = takeSecrets()

// takeSecrets takes the secrets out of the environment, and puts those back which the
// libraries of this program read there: the system does not show what was put back.
func takeSecrets() []string {
	taken, err := secret.Take()
	for _, e := range taken {
		if name, value, _ := strings.Cut(e, "="); err == nil && !secret.Signs(name, value) {
			err = os.Setenv(name, value)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error: thimble:", plaintext.Error(err))
		os.Exit(1)
	}
	return taken
}

// Environ is the environment that this program was started with. The signing secrets, such
// as COSIGN_PASSWORD, are in no other: a target of the magefile's own that needs one passes
// this on to the process that it starts.
func Environ() []string {
	return append(os.Environ(), slices.DeleteFunc(slices.Clone(secrets), func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return !secret.Signs(name, value)
	})...)
}
