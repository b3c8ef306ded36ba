package resolve

import (
	"runtime"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// The lock that the plan was made from must still be there when it is compared with the commit.
func TestCheckLock(t *testing.T) {
	r := newRepo(t, "hello")
	const base = "ghcr.io/acme/base:1"
	write := func(hex string) {
		hash := "sha256:" + strings.Repeat(hex, 32)
		r.write("thimble.lock.json", `{"version": 1, "images": [{"reference": "`+base+`", "mediaType": "x", "digest": "`+hash+`", "platforms": [
		{"platform": "linux/`+runtime.GOARCH+`", "mediaType": "x", "size": 1, "digest": "`+hash+`"}]}]}`)
	}
	write("ab")
	r.commit()
	got := r.resolve(plan.Config{Images: []plan.ImageConfig{{Package: ".", Base: base}}})
	if err := got.CheckLock(); err != nil {
		t.Error(err)
	}
	write("cd")
	if err := got.CheckLock(); err == nil || !strings.Contains(err.Error(), "thimble.lock.json changed after the plan was made from it") {
		t.Errorf("after a change: %v", err)
	}
	// What the images do not use is not read.
	if err := r.resolve(plan.Config{}).CheckLock(); err != nil {
		t.Errorf("without a base: %v", err)
	}
}
