package tree

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/plan"
)

// sourceTree makes a module's folder from paths to contents. A content that begins
// with "->" makes a symlink, a path that ends in a slash a folder.
func sourceTree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if target, ok := strings.CutPrefix(content, "->"); err == nil && ok {
			err = os.Symlink(target, p)
			if err != nil && runtime.GOOS == "windows" {
				t.Skip("this user may not make symlinks")
			}
		} else if err == nil && !strings.HasSuffix(name, "/") {
			err = os.WriteFile(p, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// certificate makes a self-signed certificate as PEM.
func certificate(t testing.TB, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true,
		BasicConstraintsValid: true, NotAfter: time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestAssets(t *testing.T) {
	dir := sourceTree(t, map[string]string{
		"web/index.html":   "<html>",
		"web/js/app.js":    "run()",
		"web/js/latest.js": "->app.js",
		"web/up.js":        "->js/../js/app.js",
		"web/nowhere":      "->js/none",
		"web/js/top":       "->..",
		"conf/app.yaml":    "a: 1",
		"current":          "->conf",
		"run.sh":           "#!",
	})
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o700); err != nil {
		t.Fatal(err)
	}
	tr, err := Assets(dir, plan.Image{Name: "api", Assets: []plan.Asset{
		{Source: "web", Target: "/srv/www"},
		{Source: "./conf/app.yaml", Target: "/etc/app.yaml", Mode: 0o640, UID: 65532, GID: 0},
		{Source: "current", Target: "/data/conf", Mode: 0o460, UID: 1, GID: 2},
		{Source: "run.sh", Target: "/app/run"},
		{Target: "/data/empty", Mode: 0o750, UID: 7, GID: 8},
	}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name     string
		mode     int64
		uid, gid int
		link     string
		content  string
	}
	executable := int64(0o755)
	if runtime.GOOS == "windows" { // which has no such bit
		executable = 0o644
	}
	want := []row{
		{"app/", 0o755, 0, 0, "", ""},
		{"app/run", executable, 0, 0, "", "#!"},
		{"data/", 0o755, 0, 0, "", ""},
		{"data/conf/", 0o570, 1, 2, "", ""},
		{"data/conf/app.yaml", 0o460, 1, 2, "", "a: 1"},
		{"data/empty/", 0o750, 7, 8, "", ""},
		{"etc/", 0o755, 0, 0, "", ""},
		{"etc/app.yaml", 0o640, 65532, 0, "", "a: 1"},
		{"srv/", 0o755, 0, 0, "", ""},
		{"srv/www/", 0o755, 0, 0, "", ""},
		{"srv/www/index.html", 0o644, 0, 0, "", "<html>"},
		{"srv/www/js/", 0o755, 0, 0, "", ""},
		{"srv/www/js/app.js", 0o644, 0, 0, "", "run()"},
		{"srv/www/js/latest.js", 0o777, 0, 0, "app.js", ""},
		{"srv/www/js/top", 0o777, 0, 0, "..", ""},
		{"srv/www/nowhere", 0o777, 0, 0, "js/none", ""},
		{"srv/www/up.js", 0o777, 0, 0, "js/../js/app.js", ""},
	}
	var got []row
	for _, e := range readTar(t, tr) {
		got = append(got, row{e.Name, e.Mode, e.Uid, e.Gid, e.Linkname, e.content})
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tree has\n%v, want\n%v", got, want)
	}
	components, err := tr.Components(t.Context())
	if err != nil || len(components) != 1 || len(components[0].Files) != 5 {
		t.Errorf("components are %+v, %v", components, err)
	}
}

// What decides is content and the owner's executable bit, as in git.
func TestAssetsDoNotDependOnSourceModes(t *testing.T) {
	files := map[string]string{"web/a": "a", "web/b/c": "c"}
	img := plan.Image{Assets: []plan.Asset{{Source: "web", Target: "/web"}}}
	var digests []string
	for _, perm := range []fs.FileMode{0o644, 0o600, 0o666, 0o444} {
		dir := sourceTree(t, files)
		for name := range files {
			if err := os.Chmod(filepath.Join(dir, name), perm); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(filepath.Join(dir, "web/a"), time.Time{}, time.Unix(int64(perm), 0)); err != nil {
			t.Fatal(err)
		}
		tr, err := Assets(dir, img, Accounts{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest(t, tr))
	}
	if len(slices.Compact(digests)) != 1 {
		t.Errorf("source modes and times give other layers: %v", digests)
	}
}

// The folder of an asset may be the whole root, and /tmp stays open to all.
func TestAssetsAtTheRoot(t *testing.T) {
	dir := sourceTree(t, map[string]string{"rootfs/etc/motd": "hi"})
	tr, err := Assets(dir, plan.Image{Assets: []plan.Asset{
		{Source: "rootfs", Target: "/"},
		{Source: "rootfs/etc/motd", Target: "/tmp/seed"},
	}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries := readTar(t, tr)
	if got := names(entries); !slices.Equal(got, []string{"etc/", "etc/motd", "tmp/", "tmp/seed"}) {
		t.Errorf("the tree has %q", got)
	}
	if entries[2].Mode != 0o1777 {
		t.Errorf("/tmp has mode %o", entries[2].Mode)
	}
}

// What git keeps of a submodule goes into no image.
func TestAssetsWithoutGit(t *testing.T) {
	dir := sourceTree(t, map[string]string{
		"web/one/.git": "gitdir: elsewhere", "web/one/a": "", "web/two/.git/config": "credentials", "web/two/b": "",
	})
	tr, err := Assets(dir, plan.Image{Assets: []plan.Asset{{Source: "web", Target: "/srv"}}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(readTar(t, tr)); !slices.Equal(got, []string{"srv/", "srv/one/", "srv/one/a", "srv/two/", "srv/two/b"}) {
		t.Errorf("the tree has %q", got)
	}
}

func TestAssetsRefuses(t *testing.T) {
	outside := sourceTree(t, map[string]string{"secret": "s", "folder/secret": "s"})
	dir := sourceTree(t, map[string]string{
		"file":                "f",
		"api":                 "a",
		"abs/link":            "->" + filepath.Join(outside, "secret"),
		"up/link":             "->../file",
		"upup/link":           "->../../../../etc/passwd",
		"chain/a":             "->b/../file", // which looks as if it stayed
		"chain/b":             "->.",
		"loop/a":              "->b",
		"loop/b":              "->a",
		"escape":              "->" + filepath.Join(outside, "folder"),
		"through/deep/file":   "f",
		"through/deep/out":    "->../../file",
		"gone/.wh.other":      "",
		"opaque/.wh..wh..opq": "",
		"deep/.wh.x/file":     "",
	})
	for name, tc := range map[string]struct {
		asset plan.Asset
		want  string
	}{
		"missing":            {plan.Asset{Source: "none", Target: "/x"}, "asset none: file does not exist"},
		"absolute source":    {plan.Asset{Source: "/etc/passwd", Target: "/x"}, "not in the module's folder"},
		"source outside":     {plan.Asset{Source: "../x", Target: "/x"}, "not in the module's folder"},
		"whole module":       {plan.Asset{Source: "./", Target: "/x"}, "the module's folder itself"},
		"source by symlink":  {plan.Asset{Source: "escape", Target: "/x"}, "leaves the folder"},
		"through a symlink":  {plan.Asset{Source: "escape/secret", Target: "/x"}, "leaves the folder"},
		"relative target":    {plan.Asset{Source: "file", Target: "x"}, "not a clean absolute path"},
		"unclean target":     {plan.Asset{Source: "file", Target: "/x/../y"}, "not a clean absolute path"},
		"slash after target": {plan.Asset{Source: "file", Target: "/x/"}, "not a clean absolute path"},
		"no target":          {plan.Asset{Source: "file"}, "not a clean absolute path"},
		"file for the root":  {plan.Asset{Source: "file", Target: "/"}, "target / is a folder"},
		"mode":               {plan.Asset{Source: "file", Target: "/x", Mode: 0o10644}, "more than chmod takes"},
		"capability":         {plan.Asset{Source: "file", Target: "/x", Capabilities: []string{"all"}}, `no capability "all"`},
		"capable folder":     {plan.Asset{Source: "through", Target: "/x", Capabilities: []string{"cap_net_raw"}}, "it must be a file"},
		"negative owner":     {plan.Asset{Source: "file", Target: "/x", UID: -1}, "asset file: owner -1:0 is not from 0"},
		"owner beyond":       {plan.Asset{Source: "file", Target: "/x", GID: 1 << 31}, "asset file: owner 0:2147483648 is not from 0"},
		"absolute link":      {plan.Asset{Source: "abs", Target: "/x"}, "asset abs: link: symlink to"},
		"link to outside":    {plan.Asset{Source: "up", Target: "/x"}, "symlink to ../file leaves the folder"},
		"link far outside":   {plan.Asset{Source: "upup", Target: "/x"}, "leaves the folder"},
		"link by a link":     {plan.Asset{Source: "chain", Target: "/x"}, "a: symlink to b/../file: a symlink in its path leaves the folder"},
		"loop":               {plan.Asset{Source: "loop", Target: "/x"}, "symlink to"},
		"link in a folder":   {plan.Asset{Source: "through", Target: "/x"}, "deep/out: symlink to ../../file leaves the folder"},
		"the binary's path":  {plan.Asset{Source: "file", Target: "/app/api"}, "its own file there"},
		"a folder":           {plan.Asset{Source: "file", Target: "/etc"}, "asset for /etc: it is a folder of the image; give the path of a file in it, such as /etc/x"},
		"the home":           {plan.Asset{Source: "file", Target: "/home/nonroot"}, "it is a folder of the image"},
		"the binary's":       {plan.Asset{Source: "file", Target: "/app"}, "it is a folder of the image"},
		"a whiteout":         {plan.Asset{Source: "gone", Target: "/x"}, "/x/.wh.other to the tree: the name .wh.other deletes a file"},
		"an opaque folder":   {plan.Asset{Source: "opaque", Target: "/x"}, "the name .wh..wh..opq deletes a file"},
		"below a whiteout":   {plan.Asset{Source: "deep", Target: "/x"}, "the name .wh.x deletes a file"},
		"whiteout as target": {plan.Asset{Source: "file", Target: "/srv/.wh.x"}, "the name .wh.x deletes a file"},
		"licence texts":      {plan.Asset{Source: "file", Target: "/licenses/third-party.txt"}, "its own file there"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Assets(dir, plan.Image{Name: "api", Assets: []plan.Asset{tc.asset}}, Accounts{}, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Assets gives %v, want %q in it", err, tc.want)
			}
		})
	}
	twice := []plan.Asset{{Source: "file", Target: "/x"}, {Source: "api", Target: "/x"}}
	if _, err := Assets(dir, plan.Image{Assets: twice}, Accounts{}, nil); err == nil || !strings.Contains(err.Error(), "/x to the tree: it already exists") {
		t.Errorf("two assets at one path give %v", err)
	}
	if _, err := Assets(filepath.Join(dir, "none"), plan.Image{}, Accounts{}, nil); err == nil {
		t.Error("a missing module folder gives no error")
	}
}

func TestUserCAs(t *testing.T) {
	one, two := certificate(t, "One"), certificate(t, "Two\n-----BEGIN EVIL-----")
	dir := sourceTree(t, map[string]string{
		"corp.pem":      "a comment\n" + one + two,
		"ca/other.crt":  two,
		"empty.pem":     "nothing",
		"key.pem":       one + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"cut.pem":       one + two[:len(two)/2],
		"garbled.pem":   one + strings.Replace(two, "MII", "*II", 1),
		"malformed.pem": strings.Replace(one, "MII", "MIM", 1),
		"folder/":       "",
		"away.pem":      "->../../away.pem",
	})
	tr, err := Assets(dir, plan.Image{CACertificates: []string{"corp.pem", "ca/other.crt"}}, Accounts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range readTar(t, tr) {
		got[e.Name] = e.content
	}
	for name, certs := range map[string]int{"etc/ssl/certs/thimble-corp.pem": 2, "etc/ssl/certs/thimble-ca-other.pem": 1} {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(got[name])) || bytes.Count([]byte(got[name]), []byte("BEGIN CERTIFICATE")) != certs {
			t.Errorf("%s is\n%s", name, got[name])
		}
		if strings.Contains(got[name], "\n-----BEGIN EVIL") || !strings.Contains(got[name], "# CN=Two") {
			t.Errorf("the comments of %s are wrong:\n%s", name, got[name])
		}
	}
	for name, want := range map[string]string{
		"none.pem":      "CA certificates none.pem: file does not exist",
		"empty.pem":     "empty.pem: no PEM block",
		"key.pem":       "key.pem: block 2 is a PRIVATE KEY, not a CERTIFICATE",
		"cut.pem":       "cut.pem: only 1 of its 2 PEM blocks can be read",
		"garbled.pem":   "garbled.pem: only 1 of its 2 PEM blocks can be read",
		"malformed.pem": "malformed.pem: block 1: x509:",
		"folder":        "CA certificates folder: ",
		"away.pem":      "leaves the folder",
		"../x.pem":      "not in the module's folder",
	} {
		_, err := Assets(dir, plan.Image{CACertificates: []string{name}}, Accounts{}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q in it", name, err, want)
		}
	}
}

func TestAssetFiles(t *testing.T) {
	dir := sourceTree(t, map[string]string{
		"ca/corp.pem":  certificate(t, "Corp"),
		"web/b/file":   "b",
		"web/a":        "a",
		"web/link":     "->a",
		"current":      "->web",
		"conf/app.yml": "x",

		"web/b/.git":           "gitdir: elsewhere",
		"web/c/d/.git/config":  "credentials",
		"web/c/d/.gitmodules":  "",
		"web/c/d/x.git/config": "",
	})
	if err := os.Mkdir(filepath.Join(dir, "web", "none"), 0o755); err != nil {
		t.Fatal(err)
	}
	assets := []plan.Asset{
		{Source: "conf/app.yml", Target: "/etc/app.yml"},
		{Source: "web", Target: "/srv"},
		{Source: "current", Target: "/also"},
	}
	got, err := AssetFiles(dir, []string{"ca/corp.pem"}, assets)
	// Git knows what is behind a symlink by its own path, and the symlink by its.
	want := []AssetFile{
		{Name: "ca/corp.pem"}, {Name: "conf/app.yml"}, {Name: "current"}, {Name: "web"}, {Name: "web/a"},
		{Name: "web/b/file"}, {Name: "web/c/d/.gitmodules"}, {Name: "web/c/d/x.git/config"}, {Name: "web/link", Link: true}, {Name: "web/none"},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("AssetFiles gives %+v, %v, want %+v", got, err, want)
	}
	if _, err := AssetFiles(dir, []string{"ca/none.pem"}, nil); err == nil || !strings.Contains(err.Error(), "CA certificates ca/none.pem: file does not exist") {
		t.Errorf("a missing CA file gives %v", err)
	}
	if _, err := AssetFiles(dir, nil, []plan.Asset{{Source: "none", Target: "/x"}}); err == nil {
		t.Error("a missing asset gives no error")
	}
	if got, err := AssetFiles(dir, nil, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing asked for gives %+v, %v", got, err)
	}
}

// The commit says which files are executable, where it is known.
func TestModesAreTheCommits(t *testing.T) {
	dir := sourceTree(t, map[string]string{"web/run": "a", "web/read": "b", "web/new": "c", "web/set": "d"})
	for name, mode := range map[string]os.FileMode{"run": 0o644, "read": 0o755, "new": 0o755, "set": 0o644} {
		if err := os.Chmod(filepath.Join(dir, "web", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	img := plan.Image{Assets: []plan.Asset{{Source: "web", Target: "/web"}, {Source: "web/set", Target: "/set", Mode: 0o640}}}
	tr, err := Assets(dir, img, Accounts{}, map[string]bool{"web/run": true, "web/read": false, "web/set": true})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]os.FileMode{}
	for path, n := range tr.nodes {
		if n.Mode.IsRegular() {
			got[path] = n.Mode
		}
	}
	want := map[string]os.FileMode{"web/run": 0o755, "web/read": 0o644, "web/new": 0o755, "web/set": 0o755, "set": 0o640}
	if !maps.Equal(got, want) {
		t.Errorf("modes = %v, want %v", got, want)
	}
}

func TestApp(t *testing.T) {
	binary := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("\x7fELF")), nil }
	tr, err := App("api", 4, binary, []string{"cap_net_bind_service"}, []byte("MIT"))
	if err != nil {
		t.Fatal(err)
	}
	entries := readTar(t, tr)
	if got := names(entries); !slices.Equal(got, []string{"app/", "app/api", "licenses/", "licenses/third-party.txt"}) {
		t.Errorf("the tree has %q", got)
	}
	if e := entries[1]; e.Mode != 0o755 || e.content != "\x7fELF" {
		t.Errorf("the binary has mode %o and content %q", e.Mode, e.content)
	}
	if caps := entries[1].PAXRecords["SCHILY.xattr.security.capability"]; caps != "\x01\x00\x00\x02\x00\x04\x00\x00"+strings.Repeat("\x00", 12) {
		t.Errorf("the binary has the capabilities %x", caps)
	}
	if tr, err = App("api", 4, binary, nil, nil); err != nil || len(readTar(t, tr)) != 2 {
		t.Errorf("without licence texts: %v", err)
	}
	keys := []string{AppKey("api", "00", nil, nil), AppKey("api", "01", nil, nil), AppKey("b", "00", nil, nil), AppKey("api", "00", nil, []byte("MIT")), AppKey("api", "00", []string{"cap_net_raw"}, nil)}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 5 {
		t.Error("different binaries have one key")
	}
}
