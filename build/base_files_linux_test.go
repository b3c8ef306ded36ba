package build_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/plan"
)

// flattened are the files that a container of an image sees, the uppermost of each, by
// go-containerregistry's own account.
func flattened(t testing.TB, img v1.Image) (headers map[string]*tar.Header, contents map[string]string) {
	t.Helper()
	headers, contents = map[string]*tar.Header{}, map[string]string{}
	r := mutate.Extract(img)
	defer r.Close()
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return headers, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + strings.Trim(h.Name, "./")
		headers[path] = h
		contents[path] = string(must(io.ReadAll(files)))
	}
}

// What a service brings of its own is on any base as it is on scratch: certificates beside
// the base's, users behind the base's, files with owner and mode, capabilities.
func TestOwnFilesOnABase(t *testing.T) {
	repo := helloModule(t)
	folder, err := layout.Write(filepath.Join(repo, "base"), empty.Index)
	ok(t, err)
	ok(t, folder.AppendImage(baseImage(t, "amd64")))
	ok(t, os.WriteFile(filepath.Join(repo, "corp.pem"), newAuthority(t).pem, 0o644))
	ok(t, os.WriteFile(filepath.Join(repo, "settings.json"), []byte("{}"), 0o600))
	git(t, repo, "add", "-A")
	git(t, repo, "commit", "-q", "-m", "files")
	for base, last := range map[string]string{plan.BaseStatic: "nonroot", "oci:base": "alice"} {
		t.Run(base, func(t *testing.T) {
			o := options(t, repo, func(o *settings) {
				o.Config.Debian.Mirror = debiantest.Mirror(t)
				o.Config.Defaults = build.ImageConfig{
					Base: base, CACertificates: []string{"corp.pem"}, Include: []string{plan.NeedCACertificates},
					Users: []build.User{{Name: "web", UID: 1234}},
					Assets: []build.Asset{{Source: "settings.json", Target: "/etc/web/settings.json", Mode: 0o640, UID: 1234, GID: 1234},
						{Source: "settings.json", Target: "/lib/web/x"}, {Source: "settings.json", Target: "/root/x"}},
					Runtime: build.Runtime{User: "web"}, Capabilities: []string{"NET_BIND_SERVICE"},
				}
			})
			must(build.Lock(t.Context(), o.Options))
			r := must(build.Image(t.Context(), o.image()))
			img := must(index(t, r, r.Images[0]).Image(must(v1.NewHash(r.Images[0].Platforms[0].Digest))))
			headers, contents := flattened(t, img)
			lines := strings.Split(strings.TrimSpace(contents["/etc/passwd"]), "\n")
			if n := len(lines); n < 3 || !strings.HasPrefix(lines[0], "root:") || !strings.HasPrefix(lines[n-2], last+":") || !strings.HasPrefix(lines[n-1], "web:x:1234:1234:") {
				t.Errorf("/etc/passwd is\n%s", contents["/etc/passwd"])
			}
			if !strings.HasSuffix(contents["/etc/group"], "\nweb:x:1234:\n") || !strings.Contains(contents["/etc/group"], last+":x:") {
				t.Errorf("/etc/group is\n%s", contents["/etc/group"])
			}
			if h := headers["/etc/web/settings.json"]; h == nil || h.Mode != 0o640 || h.Uid != 1234 || h.Gid != 1234 {
				t.Errorf("the file is %+v", h)
			}
			if base == plan.BaseStatic {
				// What the base has on the way to a file stays: /lib is a symlink to usr/lib.
				if h := headers["/lib"]; h == nil || h.Typeflag != tar.TypeSymlink || headers["/usr/lib/web/x"] == nil {
					t.Errorf("/lib is %+v, and below /usr/lib there is %+v", h, headers["/usr/lib/web/x"])
				}
				if h := headers["/root"]; h == nil || h.Mode != 0o700 {
					t.Errorf("/root is %+v", h)
				}
			}
			if h := headers["/home/web"]; h == nil || h.Uid != 1234 || h.Mode != 0o750 {
				t.Errorf("the home is %+v", h)
			}
			if h := headers["/app/hello"]; h == nil || h.PAXRecords["SCHILY.xattr.security.capability"] == "" {
				t.Errorf("the program is %+v", h)
			}
			if !strings.Contains(contents["/etc/ssl/certs/thimble-corp.pem"], "BEGIN CERTIFICATE") || len(contents["/etc/ssl/certs/ca-certificates.crt"]) < 100_000 {
				t.Errorf("of certificates there are %d and %d bytes", len(contents["/etc/ssl/certs/thimble-corp.pem"]), len(contents["/etc/ssl/certs/ca-certificates.crt"]))
			}
			if user := must(img.ConfigFile()).Config.User; user != "1234:1234" {
				t.Errorf("the user is %s", user)
			}
			if _, whole := contents["/etc/marker"]; whole != (base == "oci:base") {
				t.Errorf("the base's own file is there: %t", whole)
			}
		})
	}
}

// A tag that is moved changes no build, until somebody locks again.
func TestTagIsMoved(t *testing.T) {
	host := registrytest.InProcess(t, true)
	tag := must(name.NewTag(host + "/acme/base:1"))
	ok(t, remote.Write(tag, baseImage(t, "amd64")))
	o := options(t, helloModule(t), func(o *settings) { o.Config.Defaults.Base = tag.Name() })
	first := must(build.Lock(t.Context(), o.Options)).Lock.Images[0].Digest
	moved := must(mutate.Config(baseImage(t, "amd64"), v1.Config{User: "0"}))
	ok(t, remote.Write(tag, moved))
	o.Cache = t.TempDir()
	if got := must(build.Image(t.Context(), o.image())).Images[0].Platforms[0].BaseDigest; got != first {
		t.Errorf("the image stands on %s, pinned is %s", got, first)
	}
	changes := must(build.Lock(t.Context(), o.Options)).Changes
	if want := "~ " + tag.Name() + " " + first + " → " + must(moved.Digest()).String(); len(changes) != 2 || changes[0].String() != want {
		t.Errorf("locking shows %v, want %s", changes, want)
	}
}
