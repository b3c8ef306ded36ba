package debiantest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/klauspost/compress/gzip"
)

// Archive is an archive for a test, with its signing key. Set it up, then Publish and Serve it;
// it may be changed and published again.
type Archive struct {
	Suite         string
	Architectures []string
	// Date and ValidUntil are those of all indexes; no ValidUntil if zero.
	Date, ValidUntil time.Time
	// Packages by their suite: Suite, or Suite with -updates or -security.
	Packages map[string][]Package

	key *openpgp.Entity

	mu       sync.Mutex
	files    map[string][]byte // by their path below the mirror
	requests []string
	handler  func(http.ResponseWriter, *http.Request) bool
}

// created is the time of keys and signatures.
var created = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// New returns an empty archive of trixie for amd64, with a new key.
func New(t testing.TB) *Archive {
	t.Helper()
	key, err := openpgp.NewEntity("Test Archive", "", "archive@example.com", &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return created },
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Archive{
		Suite: "trixie", Architectures: []string{"amd64"},
		Date:     time.Date(2026, 11, 21, 9, 15, 44, 0, time.UTC),
		Packages: map[string][]Package{}, key: key, files: map[string][]byte{},
	}
}

// Keyring returns the archive's public key, in the form for debian.Request.
func (a *Archive) Keyring(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := a.key.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Publish makes the packages, the lists and the signed indexes. Earlier packages stay in the
// pool.
func (a *Archive) Publish(t testing.TB) {
	t.Helper()
	for suite, archive := range map[string]string{a.Suite: "debian", a.Suite + "-updates": "debian",
		a.Suite + "-security": "debian-security"} {
		lists := map[string]*strings.Builder{}
		for _, arch := range a.Architectures {
			lists[arch] = &strings.Builder{}
		}
		for _, p := range a.Packages[suite] {
			deb := p.Deb(t)
			path := fmt.Sprintf("pool/main/%c/%s/%s_%s_%s.deb", p.Name[0], p.Name, p.Name,
				p.Version[strings.IndexByte(p.Version, ':')+1:], p.architecture())
			a.Put(archive+"/"+path, deb)
			for arch, list := range lists {
				if p.architecture() == "all" || p.architecture() == arch {
					fmt.Fprintf(list, "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", p.Control(), path,
						len(deb), sha256.Sum256(deb))
				}
			}
		}
		files := map[string][]byte{}
		for arch, list := range lists {
			name := "main/binary-" + arch + "/Packages"
			files[name] = []byte(list.String())
			files[name+".gz"] = Gzip(t, files[name])
		}
		a.Release(t, archive, suite, files)
	}
}

// Release signs an index of files, and adds both to the archive.
func (a *Archive) Release(t testing.TB, archive, suite string, files map[string][]byte) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "Origin: Debian\nSuite: stable\nCodename: %s\nDate: %s\n", suite, rfc1123(a.Date))
	if !a.ValidUntil.IsZero() {
		fmt.Fprintf(&text, "Valid-Until: %s\n", rfc1123(a.ValidUntil))
	}
	fmt.Fprintf(&text, "Acquire-By-Hash: yes\nArchitectures: all %s\nComponents: main\nSHA256:\n",
		strings.Join(a.Architectures, " "))
	dists := archive + "/dists/" + suite + "/"
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		fmt.Fprintf(&text, " %x %d %s\n", sum, len(files[name]), name)
		if strings.HasSuffix(name, ".gz") { // mirrors have no others
			a.Put(dists+name, files[name])
		}
	}
	a.Put(dists+"InRelease", a.Sign(t, text.String()))
}

// Sign returns a text with a cleartext signature.
func (a *Archive) Sign(t testing.TB, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := clearsign.Encode(&out, a.key.PrivateKey,
		&packet.Config{Time: func() time.Time { return created }})
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Put sets the content of a file; nil removes it.
func (a *Archive) Put(path string, content []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if content == nil {
		delete(a.files, path)
		return
	}
	a.files[path] = content
}

// Get returns the content of a file; nil if there is none.
func (a *Archive) Get(path string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return bytes.Clone(a.files[path])
}

// Handle lets h answer requests; h returns whether it has.
func (a *Archive) Handle(h func(http.ResponseWriter, *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handler = h
}

// Requests returns the paths that were requested since the last call.
func (a *Archive) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.requests
	a.requests = nil
	return r
}

// ServeHTTP serves the archive.
func (a *Archive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	a.mu.Lock()
	content, ok := a.files[path]
	a.requests = append(a.requests, path)
	handler := a.handler
	a.mu.Unlock()
	if handler != nil && handler(w, r) {
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// Serve starts a server for the archive and returns its URL.
func (a *Archive) Serve(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return s.URL
}

// Gzip compresses b.
func Gzip(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func rfc1123(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC") }
