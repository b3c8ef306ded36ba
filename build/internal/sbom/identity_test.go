package sbom

import "testing"

func TestIdentity(t *testing.T) {
	if a, b := elementID("File", "/a/b"), elementID("File", "/a-b"); a == b {
		t.Errorf("two files are %s", a)
	}
	// As `uuidgen --sha1 --namespace @url --name …` gives it for the URL of no content.
	if got, want := contentUUID("spdx", nil), "0e1026c2-e95b-5115-b36e-98e95fc4b472"; got != want {
		t.Errorf("UUID %s, want %s", got, want)
	}
}
