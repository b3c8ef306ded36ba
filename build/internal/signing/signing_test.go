package signing

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Offline, a key in a service on this machine can be used. Other services are named as their users
// know them.
func TestReachOfKeyServices(t *testing.T) {
	for _, test := range []struct{ key, env, want string }{
		{"hashivault://release", "VAULT_ADDR=http://127.0.0.1:8200", ""},
		{"hashivault://release", "BAO_ADDR=http://localhost:8200", ""},
		{"hashivault://release", "VAULT_ADDR=https://vault.example.com:8200", "vault.example.com:8200 is not on this machine"},
		{"hashivault://release", "A=1", "Vault is not on this machine"},
		{"awskms:///alias/release", "A=1", "AWS KMS is not on this machine"},
		{"awskms://localhost:4566/alias/release", "A=1", ""},
		{"gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k", "A=1", "Google Cloud KMS is not on this machine"},
		{"azurekms://acme.vault.azure.net/release", "A=1", "acme.vault.azure.net is not on this machine"},
		{"cosign.key", "A=1", ""},
	} {
		s, err := session.Open(t.Context(), session.Settings{
			Config: plan.Config{Release: plan.ReleaseConfig{Key: test.key}}, Cache: t.TempDir(),
			Env: []string{test.env, "GOPROXY=off"}, Offline: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = Reach(s)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), "sign with "+test.key+": "+test.want)) {
			t.Errorf("%s, %s: %v, want %q", test.key, test.env, err, test.want)
		}
	}
}
