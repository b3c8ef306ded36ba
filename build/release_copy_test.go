package build_test

import (
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/sigstoretest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// An image that was copied, with what is about it, by the programs that people copy images
// with verifies there; and the repository takes the next release.
func TestCopied(t *testing.T) {
	testtool.OnRequest(t, "cosign, oras and skopeo")
	oras := testtool.Tool(t, "oras.land/oras/cmd/oras", "v1.3.6", "")
	skopeo := testtool.Program(t, "skopeo")
	type copier struct {
		name string
		copy func(t *testing.T, from, to string, r *build.Result)
	}
	run := func(t *testing.T, program string, args ...string) {
		t.Helper()
		if out, err := sigstoretest.Command(t, program, args...); err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
	}
	copiers := []copier{
		{"oras", func(t *testing.T, from, to string, _ *build.Result) {
			run(t, oras, "cp", "-r", "--from-plain-http", "--to-plain-http", from+":v1.2.3", to+":v1.2.3")
		}},
		// skopeo 1.9 writes an index anew, which nobody has signed then. Without --all, it
		// copies the image of its platform under the index's tag.
		{"skopeo", func(t *testing.T, from, to string, r *build.Result) {
			p := r.Images[0].Platforms[0]
			tag := strings.Replace(p.Digest, ":", "-", 1)
			for _, tag := range []string{"v1.2.3", tag + ".sig", tag + ".att"} {
				run(t, skopeo, "--insecure-policy", "--override-os=linux", "--override-arch="+p.Platform.Architecture,
					"copy", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://"+from+":"+tag, "docker://"+to+":"+tag)
			}
		}},
	}
	for _, c := range sigstoretest.Cosigns {
		program := c.Build(t)
		copiers = append(copiers, copier{"cosign " + c.Version, func(t *testing.T, from, to string, _ *build.Result) {
			run(t, program, "copy", "--allow-http-registry", from+":v1.2.3", to+":v1.2.3")
		}})
	}
	key := newServedKey(t)
	repo := module(t, "hello")
	for _, kind := range append(registries, struct {
		name  string
		start func(testing.TB) string
	}{"in process with referrers", func(t testing.TB) string { return registrytest.InProcess(t, true) }}) {
		host := kind.start(t)
		o := options(t, repo, to(host, key))
		o.Platforms = nil
		r, err := build.Release(t.Context(), o.release())
		ok(t, err)
		for _, c := range copiers {
			t.Run(kind.name+", "+c.name, func(t *testing.T) {
				prefix := host + "/" + strings.NewReplacer(" ", "", ".", "").Replace(c.name)
				c.copy(t, host+"/acme/hello", prefix+"/hello", r)
				stranger := settings{Options: build.Options{Workdir: t.TempDir(), Env: environment()}}
				if report, err := build.Verify(t.Context(), verifying(stranger.Options, build.VerifyOptions{Keys: []string{publicOf(key)}}), prefix+"/hello:v1.2.3"); err != nil {
					t.Errorf("%v %+v", err, report)
				}
				there := o
				there.Config.Repository = prefix
				again, err := build.Release(t.Context(), there.release())
				if c.name == "skopeo" { // the tag is at another digest than the index's
					refused(t, err, ":v1.2.3: it points to "+r.Images[0].Platforms[0].Digest)
					return
				}
				ok(t, err)
				found := inventory(t, prefix+"/hello", digestsOf(again)...)
				for what, n := range planned(again) { // SBOMs name the other repository as well
					if found[what] < n {
						t.Errorf("after a release there: the registry has %d of %s, want %d", found[what], what, n)
					}
				}
				ok(t, verifyScript(t, again.Dist))
			})
		}
	}
}
