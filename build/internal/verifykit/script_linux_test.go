package verifykit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// verify.sh prints a line for each check, and what cosign prints only for a check that failed. It
// continues after one, and then returns a failure.
func TestScriptPrintsALineACheck(t *testing.T) {
	key, err := attest.NewDevelopmentKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := attest.NewSigner(key, attest.Services{})
	if err != nil {
		t.Fatal(err)
	}
	kit, err := Make(Release{
		Version: "v1.2.3", Module: "example.com/api", Forms: []attest.Form{attest.Bundles}, Archives: true,
		Images: []Image{{Reference: "ghcr.io/acme/api@sha256:ab", Repository: "ghcr.io/acme/api"}},
		Trust:  attest.Trust{Keys: []*attest.PublicKey{signer.PublicKey()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("verify/verify.sh", string(kit.Files["verify.sh"]))
	write("archives/checksums.txt", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n")
	write("archives/empty", "")
	run := func(cosign string) (stdout, stderr string, err error) {
		t.Helper()
		write("bin/cosign", "#!/bin/sh\n"+cosign+"\n")
		var out, errs strings.Builder
		cmd := testtool.Command(t, "sh", filepath.Join(dir, "verify", "verify.sh"))
		cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":/usr/bin:/bin"}
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	want := []string{
		"ok      signature of ghcr.io/acme/api@sha256:ab", "ok      SPDX of ghcr.io/acme/api@sha256:ab", "ok      CycloneDX of ghcr.io/acme/api@sha256:ab",
		"ok      provenance of ghcr.io/acme/api@sha256:ab", "ok      test result of ghcr.io/acme/api@sha256:ab", "ok      release of ghcr.io/acme/api@sha256:ab",
		"ok      signature of the checksums", "ok      archives",
	}
	stdout, stderr, err := run("echo 'Verification for'; echo 'The following checks were performed' >&2")
	if err != nil || stderr != "" || stdout != strings.Join(want, "\n")+"\n" {
		t.Errorf("it prints %q and %q, %v", stdout, stderr, err)
	}
	stdout, stderr, err = run(`case $* in *cyclonedx*) echo "no matching attestations" >&2; exit 12;; esac`)
	if err == nil || stderr != "FAILED  CycloneDX of ghcr.io/acme/api@sha256:ab\nno matching attestations\n" || strings.Count(stdout, "ok ") != len(want)-1 {
		t.Errorf("with a failure it prints %q and %q, %v", stdout, stderr, err)
	}
	write("archives/empty", "changed")
	if stdout, stderr, err = run("exit 0"); err == nil || !strings.HasPrefix(stderr, "FAILED  archives\n") {
		t.Errorf("with a changed archive it prints %q and %q, %v", stdout, stderr, err)
	}
}
