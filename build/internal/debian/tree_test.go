package debian

import (
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

func TestTree(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	l := mustLock(t, r)
	s := mustFind(t, l, plan.BaseBase)
	tr := mustTree(t, s, r.Mirror)
	want := strings.Split(strings.TrimSpace(`
drwxr-xr-x 0:0 /etc
-rw-r--r-- 0:0 /etc/debian_version
-rw-r--r-- 0:0 /etc/group
-rw-r--r-- 0:0 /etc/mime.types
-rw-r--r-- 0:0 /etc/nsswitch.conf
Lrwxrwxrwx 0:0 /etc/os-release -> ../usr/lib/os-release
-rw-r--r-- 0:0 /etc/passwd
-rw-r--r-- 0:0 /etc/services
drwxr-xr-x 0:0 /etc/ssl
drwxr-xr-x 0:0 /etc/ssl/certs
-rw-r--r-- 0:0 /etc/ssl/certs/ca-certificates.crt
drwxr-xr-x 0:0 /home
drwx------ 65532:65532 /home/nonroot
Lrwxrwxrwx 0:0 /lib -> usr/lib
Lrwxrwxrwx 0:0 /lib64 -> usr/lib64
drwx------ 0:0 /root
dtrwxrwxrwx 0:0 /tmp
drwxr-xr-x 0:0 /usr
drwxr-xr-x 0:0 /usr/lib
-rw-r--r-- 0:0 /usr/lib/os-release
drwxr-xr-x 0:0 /usr/lib/x86_64-linux-gnu
-rw-r--r-- 0:0 /usr/lib/x86_64-linux-gnu/libc.so.6
-rw-r--r-- 0:0 /usr/lib/x86_64-linux-gnu/libgcc_s.so.1
drwxr-xr-x 0:0 /usr/lib64
-rw-r--r-- 0:0 /usr/lib64/ld.so
drwxr-xr-x 0:0 /usr/share
drwxr-xr-x 0:0 /usr/share/doc
drwxr-xr-x 0:0 /usr/share/doc/ca-certificates
-rw-r--r-- 0:0 /usr/share/doc/ca-certificates/copyright
drwxr-xr-x 0:0 /usr/share/doc/gcc-14-base
-rw-r--r-- 0:0 /usr/share/doc/gcc-14-base/copyright
drwxr-xr-x 0:0 /usr/share/doc/libc6
-rw-r--r-- 0:0 /usr/share/doc/libc6/copyright
Lrwxrwxrwx 0:0 /usr/share/doc/libgcc-s1 -> gcc-14-base
drwxr-xr-x 0:0 /usr/share/doc/libssl3t64
-rw-r--r-- 0:0 /usr/share/doc/libssl3t64/copyright
drwxr-xr-x 0:0 /usr/share/doc/openssl-provider-legacy
-rw-r--r-- 0:0 /usr/share/doc/openssl-provider-legacy/copyright
drwxr-xr-x 0:0 /usr/share/zoneinfo
drwxr-xr-x 0:0 /usr/share/zoneinfo/Etc
-rw-r--r-- 0:0 /usr/share/zoneinfo/Etc/UTC
drwxr-xr-x 0:0 /usr/share/zoneinfo/US
-rw-r--r-- 0:0 /usr/share/zoneinfo/US/Central
drwxr-xr-x 0:0 /var
drwxr-xr-x 0:0 /var/lib
drwxr-xr-x 0:0 /var/lib/dpkg
drwxr-xr-x 0:0 /var/lib/dpkg/status.d
`), "\n")
	for _, p := range s.Locked {
		want = append(want, "-rw-r--r-- 0:0 /"+status+p.Name, "-rw-r--r-- 0:0 /"+status+p.Name+".md5sums")
	}
	slices.Sort(want[len(want)-2*len(s.Locked):])
	if got := listing(tr); !slices.Equal(got, want) {
		t.Errorf("the tree is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for p, want := range map[string]string{
		bundlePath:                        certificateB + "\n" + certificateA,
		"usr/lib/os-release":              "PRETTY_NAME=\"Distroless\"\nNAME=\"Debian GNU/Linux\"\nID=\"debian\"\nVERSION_ID=\"13\"\n",
		"var/lib/dpkg/status.d/libgcc-s1": "Package: libgcc-s1\n",
		"usr/share/zoneinfo/Etc/UTC":      "TZif2",
	} {
		if got := content(t, tr, p); !strings.HasPrefix(got, want) {
			t.Errorf("/%s is %q, want %q", p, got, want)
		}
	}

	// A warm cache needs no network, and another cache gives the same bytes.
	m := r.Mirror
	m.URL = "http://127.0.0.1:1"
	if digest(t, mustTree(t, s, m)) != digest(t, tr) {
		t.Error("the second tree is another")
	}
	m = Mirror{URL: r.Mirror.URL, Cache: t.TempDir()}
	if digest(t, mustTree(t, s, m)) != digest(t, tr) {
		t.Error("the tree from a clean cache is another")
	}
}

func TestComponents(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	l := mustLock(t, r)
	s := mustFind(t, l, plan.BaseCC)
	all, err := mustTree(t, s, r.Mirror).Components(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]tree.Component{}
	for _, c := range all {
		files := c.Files
		c.Files = nil
		byName[c.Name] = c
		if len(files) == 0 {
			t.Errorf("%s has no files", c.Name)
		}
	}
	if len(byName) != len(s.Locked)+1 {
		t.Errorf("there are %d components of %d packages", len(byName), len(s.Locked))
	}
	sum := func(name string) string {
		return s.Locked[slices.IndexFunc(s.Locked, func(p plan.DebianPackage) bool { return p.Name == name })].SHA256
	}
	for _, want := range []tree.Component{
		{
			Name: "libgcc-s1", Version: "14.2.0-19", PURL: "pkg:deb/debian/libgcc-s1@14.2.0-19?arch=amd64&distro=debian-13",
			Supplier: "Test Maintainers", SHA256: sum("libgcc-s1"), Source: "gcc-14 14.2.0-19",
		},
		{
			Name: "libstdc++6", Version: "14.2.0-19", PURL: "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13",
			Supplier: "Test Maintainers", SHA256: sum("libstdc++6"), Source: "libstdc++6 14.2.0-19",
		},
		{
			Name: certificates, Version: "20250419", PURL: "pkg:deb/debian/ca-certificates@20250419?arch=all&distro=debian-13",
			License: "GPL-2.0-or-later AND MPL-2.0", Supplier: "Test Maintainers", SHA256: sum(certificates), Source: "ca-certificates 20250419",
		},
	} {
		if got := asJSON(t, byName[want.Name]); got != asJSON(t, want) {
			t.Errorf("the component is %s, want %s", got, asJSON(t, want))
		}
	}
}

// "debian" has the packages that are named and what they depend on, and nothing else; in a
// merged suite also the links into /usr.
func TestBaseDebian(t *testing.T) {
	a := testArchive(t)
	r := request(t, a)
	r.Selections = []plan.DebianSelection{
		{Base: plan.BaseDebian, With: []string{"libc6"}, Architecture: "amd64"},
		{Base: plan.BaseDebian, With: []string{certificates}, Architecture: "amd64"},
	}
	l := mustLock(t, r)
	got := listing(mustTree(t, mustFind(t, l, plan.BaseDebian, "libc6"), r.Mirror))
	for _, want := range []string{"Lrwxrwxrwx 0:0 /lib -> usr/lib", "Lrwxrwxrwx 0:0 /lib64 -> usr/lib64", "-rw-r--r-- 0:0 /usr/lib64/ld.so"} {
		if !slices.Contains(got, want) {
			t.Errorf("the tree lacks %s:\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, line := range got {
		if strings.HasSuffix(line, "/etc/passwd") || strings.HasSuffix(line, "/tmp") || strings.HasSuffix(line, "/bin -> usr/bin") {
			t.Errorf("the tree has %s", line)
		}
	}
	got = listing(mustTree(t, mustFind(t, l, plan.BaseDebian, certificates), r.Mirror))
	for _, want := range []string{"/" + bundlePath, "/usr/share/ca-certificates/mozilla/a.crt", "/usr/bin/openssl"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, " "+want) }) {
			t.Errorf("with ca-certificates the tree lacks %s", want)
		}
	}
}
