package targets

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/plaintext"
	"github.com/thimble-build/thimble/build/internal/secret"
)

// secrets are the variables of this program's environment that its child processes must not
// see. They are removed before main, while nothing else runs; Mage gives no other opportunity.
var secrets = takeSecrets()

// takeSecrets removes the secrets from the environment, and restores those that libraries of
// this program read there. The operating system does not show restored variables to other
// processes.
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

// Environ returns the environment that this program was started with. Only it has the signing
// secrets, such as COSIGN_PASSWORD: another target of the magefile that needs one passes it on
// to the process that it starts.
func Environ() []string {
	return append(os.Environ(), slices.DeleteFunc(slices.Clone(secrets), func(e string) bool {
		name, value, _ := strings.Cut(e, "=")
		return !secret.Signs(name, value)
	})...)
}
