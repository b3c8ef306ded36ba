package tree

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"mime"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// goroot is the folder of the toolchain that runs the tests.
var goroot = sync.OnceValue(func() string {
	out, err := testtool.Output("", nil, "go", "env", "GOROOT")
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(out)
})

// toolchain is the Go toolchain that runs the tests.
func toolchain() Sources {
	return Sources{GOROOT: goroot(), GoVersion: runtime.Version(), KitVersion: "v1.0.0"}
}

func rootfs(t testing.TB, needs ...string) *Tree {
	t.Helper()
	tr, err := Rootfs(needs, toolchain())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestRootfsOfEachNeed(t *testing.T) {
	for need, want := range map[string][]string{
		plan.NeedExec:           nil,
		plan.NeedTmp:            {"tmp/"},
		plan.NeedHome:           {"home/", "home/nonroot/"},
		plan.NeedUsers:          {"etc/", "etc/group", "etc/passwd"},
		plan.NeedMIMETypes:      {"etc/", "etc/mime.types"},
		plan.NeedServices:       {"etc/", "etc/protocols", "etc/services"},
		plan.NeedCACertificates: {"etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt"},
	} {
		tr := rootfs(t, need)
		if got := names(readTar(t, tr)); !slices.Equal(got, want) {
			t.Errorf("%s gives %q, want %q", need, got, want)
		}
		if tr.Empty() != (want == nil) {
			t.Errorf("%s: Empty is %v", need, tr.Empty())
		}
	}
	if !rootfs(t).Empty() {
		t.Error("no need gives files")
	}
	if _, err := Rootfs([]string{"kitchen-sink"}, toolchain()); err == nil || !strings.Contains(err.Error(), "kitchen-sink") {
		t.Errorf("an unknown need gives %v", err)
	}
}

func TestRootfsModes(t *testing.T) {
	got := map[string]tarEntry{}
	for _, e := range readTar(t, rootfs(t, plan.NeedTmp, plan.NeedHome, plan.NeedUsers)) {
		got[e.Name] = e
	}
	if e := got["tmp/"]; e.Mode != 0o1777 || e.Uid != 0 {
		t.Errorf("/tmp has mode %o and owner %d", e.Mode, e.Uid)
	}
	// The user owns its home; any user with group 0 can use it too.
	if e := got["home/nonroot/"]; e.Mode != 0o770 || e.Uid != 65532 || e.Gid != 0 {
		t.Errorf("the home has mode %o and owner %d:%d", e.Mode, e.Uid, e.Gid)
	}
	if !strings.Contains(got["etc/passwd"].content, "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n") {
		t.Errorf("/etc/passwd is\n%s", got["etc/passwd"].content)
	}
}

func TestRootfsKeyFollowsTheContent(t *testing.T) {
	key := func(src Sources, needs ...string) string {
		t.Helper()
		k, err := RootfsKey(needs, src)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	src := toolchain()
	if key(src, plan.Needs...) != key(src, append(slices.Clone(plan.Needs), plan.NeedTmp, plan.NeedExec)...) {
		t.Error("repeated needs and those without files change the key")
	}
	backward := slices.Clone(plan.Needs)
	slices.Reverse(backward)
	if key(src, plan.Needs...) != key(src, backward...) || digest(t, rootfs(t, plan.Needs...)) != digest(t, rootfs(t, backward...)) {
		t.Error("the order of needs changes something")
	}
	if key(src) != "" || key(src, plan.NeedExec) != "" {
		t.Error("no files have a key")
	}
	seen := map[string]string{"": "nothing"}
	for _, need := range plan.Needs {
		k := key(src, need)
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", need, other)
		}
		seen[k] = need
	}

	changed := src
	changed.GOROOT = copyOfZones(t, func(zip []byte) []byte { return zip })
	if key(src, plan.NeedZoneinfo) != key(changed, plan.NeedZoneinfo) {
		t.Error("where the toolchain is changes the key")
	}
	changed.GOROOT = copyOfZones(t, func(zip []byte) []byte { return append(zip, 0) })
	if key(src, plan.NeedZoneinfo) == key(changed, plan.NeedZoneinfo) {
		t.Error("another time zone database has the same key")
	}
}

// copyOfZones makes a folder that is a GOROOT as far as time zones are concerned.
func copyOfZones(t *testing.T, edit func([]byte) []byte) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "lib", "time")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func([]byte) []byte{"zoneinfo.zip": edit, "update.bash": bytes.Clone} {
		b, err := os.ReadFile(filepath.Join(goroot(), "lib", "time", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), edit(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestZonesWithoutTheZip(t *testing.T) {
	source := filepath.Join(goroot(), "src", "time", "tzdata", "zzipdata.go")
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	src := Sources{GOROOT: root, GoVersion: "go1.99"}
	if _, err := Rootfs([]string{plan.NeedZoneinfo}, src); err == nil || !strings.Contains(err.Error(), "this Go toolchain does not contain it") {
		t.Errorf("a toolchain without zones gives %v", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "src", "time", "tzdata"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "src", "time", "tzdata", "zzipdata.go"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	tr, err := Rootfs([]string{plan.NeedZoneinfo}, src)
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, tr) != digest(t, rootfs(t, plan.NeedZoneinfo)) {
		t.Error("the two copies of the time zone database give different layers")
	}
}

func TestZonesRefuseABrokenZip(t *testing.T) {
	for name, edit := range map[string]func([]byte) []byte{
		"cut": func(b []byte) []byte { return b[:len(b)/2] },
		"flipped": func(b []byte) []byte {
			i := bytes.Index(b, []byte("TZif"))
			b[i+4] ^= 1
			return b
		},
	} {
		src := Sources{GOROOT: copyOfZones(t, edit), GoVersion: "go1.99"}
		if _, err := Rootfs([]string{plan.NeedZoneinfo}, src); err == nil || !strings.Contains(err.Error(), "read the time zone database") {
			t.Errorf("a zip that is %s gives %v", name, err)
		}
	}
}

func TestEveryZoneIsThere(t *testing.T) {
	entries := readTar(t, rootfs(t, plan.NeedZoneinfo))
	content := map[string]string{}
	for _, e := range entries {
		if e.Linkname != "" {
			e.content = content[e.Linkname]
		}
		content[e.Name] = e.content
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST5EDT", "Etc/GMT+12", "Zulu"} {
		if got := content["usr/share/zoneinfo/"+zone]; !strings.HasPrefix(got, "TZif") {
			t.Errorf("%s is not a zone file: %.10q", zone, got)
		}
	}
	if len(content) < 590 {
		t.Errorf("only %d zones", len(content))
	}
}

func TestCertificates(t *testing.T) {
	entries := readTar(t, rootfs(t, plan.NeedCACertificates))
	file := entries[len(entries)-1].content
	if strings.Count(file, "\n# ")+1 != strings.Count(file, "BEGIN CERTIFICATE") {
		t.Error("not every certificate has a line with its subject")
	}
	var got [][]byte
	for rest := []byte(file); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		got = append(got, block.Bytes)
	}
	trusts := func(der []byte) bool {
		return slices.ContainsFunc(got, func(b []byte) bool { return bytes.Equal(b, der) })
	}
	all := 0
	for root := range bundle.Roots() {
		all++
		if trusts(root.Certificate) != (root.Constraint == nil) {
			t.Errorf("a root with a constraint: %v, is in the file: %v", root.Constraint != nil, trusts(root.Certificate))
		}
	}
	if len(got) < 80 || len(got) > all {
		t.Errorf("%d of %d roots are in the file", len(got), all)
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(file)) {
		t.Error("Go reads nothing from the file")
	}
}

func TestComponentsOfRootfs(t *testing.T) {
	components, err := rootfs(t, plan.Needs...).Components(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Component{}
	for _, c := range components {
		got[c.Name] = c
		if len(c.Files) == 0 {
			t.Errorf("%s brought no files", c.Name)
		}
		// The SBOM lists the Go modules in the binary, and these are not.
		if strings.HasPrefix(c.PURL, "pkg:golang/") || !strings.HasSuffix(c.PURL, "@"+c.Version) {
			t.Errorf("%s has purl %s and version %s", c.Name, c.PURL, c.Version)
		}
	}
	if v := got["mozilla-ca-certificates"].Version; !strings.HasPrefix(v, "v0.") && !strings.HasPrefix(v, "sha256-") {
		t.Errorf("the version of Mozilla's roots is %q", v)
	}
	if v := got["tzdata"].Version; len(v) != 5 || v[:2] != "20" {
		t.Errorf("the release of the time zone database is %q", v)
	}
	if n := len(got["tzdata"].Files); n < 590 {
		t.Errorf("the time zone database has %d files", n)
	}
	if got["thimble-rootfs"].Version != "v1.0.0" || len(got["thimble-rootfs"].Files) != 5 {
		t.Errorf("thimble's own files are %+v", got["thimble-rootfs"])
	}
}

func TestDataFiles(t *testing.T) {
	fields := func(b []byte) (lines [][]string) {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); f[0] != "#" {
				lines = append(lines, f)
			}
		}
		return lines
	}
	seen := map[string]string{}
	for _, f := range fields(mimeTypes) {
		if mediaType, _, err := mime.ParseMediaType(f[0]); err != nil || !strings.EqualFold(mediaType, f[0]) || len(f) < 2 {
			t.Errorf("mime.types has %q: %v", f, err)
		}
		for _, ext := range f[1:] {
			if other, ok := seen[ext]; ok {
				t.Errorf("%s is %s and %s", ext, f[0], other)
			}
			seen[ext] = f[0]
		}
	}
	for _, f := range fields(services) {
		port, proto, ok := strings.Cut(f[1], "/")
		if !ok || strings.Trim(port, "0123456789") != "" || proto != "tcp" && proto != "udp" {
			t.Errorf("services has %q", f)
		}
		for _, name := range append(f[2:], f[0]) {
			if other, ok := seen[name+"/"+proto]; ok {
				t.Errorf("%s is at %s and %s", name, f[1], other)
			}
			seen[name+"/"+proto] = f[1]
		}
	}
	for _, f := range fields(protocols) {
		if len(f) != 3 || strings.Trim(f[1], "0123456789") != "" {
			t.Errorf("protocols has %q", f)
		}
	}
}

// The budget of the issue: 260 KB for certificates and zones, with everything
// else of the image.
func TestRootfsIsSmall(t *testing.T) {
	for _, tc := range []struct {
		needs []string
		max   int
	}{
		{[]string{plan.NeedCACertificates}, 120_000},
		{[]string{plan.NeedZoneinfo}, 95_000},
		{plan.Needs, 230_000},
	} {
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		if err := rootfs(t, tc.needs...).WriteTar(zw); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%v: %d bytes compressed", tc.needs, b.Len())
		if b.Len() > tc.max {
			t.Errorf("%v: %d bytes compressed, more than %d", tc.needs, b.Len(), tc.max)
		}
	}
}

func BenchmarkRootfs(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		digest(b, rootfs(b, plan.Needs...))
	}
}

func BenchmarkRootfsKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := RootfsKey(plan.Needs, toolchain()); err != nil {
			b.Fatal(err)
		}
	}
}
