package debian

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/klauspost/compress/gzip"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
)

func matches(t testing.TB, pattern, s string) bool {
	t.Helper()
	return regexp.MustCompile(pattern).MatchString(s)
}

func unzip(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// versions are in the order of deb-version(7), each older than the next.
var versions = []string{
	"0~~", "0~", "0", "0.0~rc1", "0.1", "1~beta", "1~rc1-1", "1-0", "1-1", "1-1+b1", "1-1+deb13u1", "1-1+deb13u2", "1-1.1", "1-2", "1-10",
	"1.2.13.dfsg-1", "1.9", "1.10", "1.10a", "1.10+", "1.10.1", "3.5.6-1~deb13u2", "3.5.6-1", "20230311+deb12u1", "20250419~deb12u2", "20250419",
	"1:0.1", "1:1.3.dfsg+really1.3.1-1+b1", "2:0",
}

func TestCompareVersions(t *testing.T) {
	for i, a := range versions {
		for j, b := range versions {
			if got, want := compareVersions(a, b), cmp.Compare(i, j); got != want {
				t.Errorf("%s and %s compare as %d, want %d", a, b, got, want)
			}
		}
		if err := checkVersion(a); err != nil {
			t.Error(err)
		}
	}
	for _, same := range [][2]string{{"1", "0:1"}, {"1.0", "1.00"}, {"1", "1-0"}, {"1-", "1"}} {
		if compareVersions(same[0], same[1]) != 0 {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	for _, bad := range []string{"", " 1", "1 ", "a1", "+1:2", "-1:2", ":1", "1:", "1:-1", "1_2", "1-1_2", "1\n", "٣", "1é", strings.Repeat("1", 257)} {
		if checkVersion(bad) == nil {
			t.Errorf("%q is a version", bad)
		}
	}
}

func TestReadRelations(t *testing.T) {
	for field, want := range map[string]string{
		"":                                 "[]",
		"libc6":                            "[[libc6]]",
		"libc6 (>= 2.38), zlib1g(>=1:1.1)": "[[libc6 (>= 2.38)] [zlib1g (>= 1:1.1)]]",
		"debconf (>= 0.5) | debconf-2.0":   "[[debconf (>= 0.5) debconf-2.0]]",
		"python3:any (<< 4), a-b+c.d":      "[[python3 (<< 4)] [a-b+c.d]]",
		"aa\t(>= 1 ),bb":                   "[[aa (>= 1 )] [bb]]",
		"a-b, , c-d":                       "error: ",
		"a-b | , c-d":                      "error: ",
		"a-b,":                             "error: ",
		"a-b\x00, c-d":                     "error: ",
		"${shlibs:Depends}":                "error: ",
		"aa <!nocheck>":                    "error: ",
		"aa (>= 1) (<< 2)":                 "error: ",
		"aa bb":                            "error: ",
		"aa (>= +1)":                       "error: ",
		"aa (= 1-1)\n, bb":                 "[[aa (= 1-1)] [bb]]",
		"A":                                "error: ",
		"libc6 (> 1)":                      "error: ",
		"libc6 (>= )":                      "error: ",
		"libc6 (>= 1":                      "error: ",
		"libc6 (>= 1) x":                   "error: ",
		"libc6 [amd64]":                    "error: ",
	} {
		got, err := readRelations(field)
		if s := fmt.Sprint(got); s != want && (err == nil || want != "error: ") {
			t.Errorf("%q is read as %s, %v; want %s", field, s, err, want)
		}
	}
	for _, tc := range []struct {
		relation, version string
		want              bool
	}{
		{"aa", "1", true},
		{"aa (<< 2)", "2", false},
		{"aa (<< 2)", "2~", true},
		{"aa (<= 2)", "2", true},
		{"aa (= 2)", "2-1", false},
		{"aa (>= 2)", "2~rc1", false},
		{"aa (>> 2)", "2+b1", true},
	} {
		r, err := readRelations(tc.relation)
		if err != nil || r[0][0].met(tc.version) != tc.want {
			t.Errorf("%s is met by %s: %v, %v", tc.relation, tc.version, !tc.want, err)
		}
	}
}

// listOf is a list of packages, given by name, version and relations.
func listOf(packages ...string) string {
	var b strings.Builder
	for _, p := range packages {
		head, rest, _ := strings.Cut(p, ";")
		name, version, _ := strings.Cut(head, "=")
		fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: T\nFilename: pool/%s.deb\nSize: 1\nSHA256: %s\n", name, version, name, strings.Repeat("0", 64))
		for line := range strings.SplitSeq(rest, ";") {
			if line = strings.TrimSpace(line); line != "" {
				fmt.Fprintln(&b, line)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestResolve(t *testing.T) {
	for name, tc := range map[string]struct {
		packages     []string
		exact, roots []string
		want         string // names, or a part of the error
	}{
		"dependencies of dependencies":   {[]string{"aa=1; Depends: bb", "bb=1; Pre-Depends: cc", "cc=1", "dd=1"}, nil, []string{"aa"}, "aa bb cc"},
		"a circle":                       {[]string{"aa=1; Depends: bb", "bb=1; Depends: aa"}, nil, []string{"aa"}, "aa bb"},
		"exact ones bring nothing":       {[]string{"aa=1; Depends: bb", "bb=1"}, []string{"aa"}, nil, "aa"},
		"unless they are asked for too":  {[]string{"aa=1; Depends: bb", "bb=1"}, []string{"aa"}, []string{"aa"}, "aa bb"},
		"the first alternative":          {[]string{"aa=1; Depends: bb | cc", "bb=1", "cc=1"}, nil, []string{"aa"}, "aa bb"},
		"the one that is there":          {[]string{"aa=1; Depends: bb | cc", "bb=1", "cc=1"}, nil, []string{"aa", "cc"}, "aa cc"},
		"the first that exists":          {[]string{"aa=1; Depends: bb | cc", "cc=1"}, nil, []string{"aa"}, "aa cc"},
		"the first that is new enough":   {[]string{"aa=1; Depends: bb (>= 2) | cc", "bb=1", "cc=1"}, nil, []string{"aa"}, "aa cc"},
		"a provider, by priority":        {[]string{"aa=1; Depends: awk", "gawk=1; Provides: awk; Priority: optional", "mawk=1; Provides: awk; Priority: required"}, nil, []string{"aa"}, "aa mawk"},
		"a provider, by name":            {[]string{"aa=1; Depends: xx", "cc=1; Provides: xx", "bb=1; Provides: xx"}, nil, []string{"aa"}, "aa bb"},
		"a provider that is there":       {[]string{"aa=1; Depends: xx", "cc=1; Provides: xx", "bb=1; Provides: xx"}, nil, []string{"aa", "cc"}, "aa cc"},
		"a versioned provider":           {[]string{"aa=1; Depends: xx (>= 2)", "bb=1; Provides: xx", "cc=1; Provides: xx (= 2)"}, nil, []string{"aa"}, "aa cc"},
		"an outdated provider":           {[]string{"aa=1; Depends: xx", "bb=1; Provides: xx", "bb=2", "cc=1; Provides: xx"}, nil, []string{"aa"}, "aa cc"},
		"no installer":                   {[]string{"aa=1; Depends: debconf (>= 0.5) | debconf-2.0, bb", "bb=1", "debconf=1"}, nil, []string{"aa"}, "aa bb"},
		"the installer by name":          {[]string{"debconf=1"}, nil, []string{"debconf"}, "debconf"},
		"nothing meets it":               {[]string{"aa=1; Depends: bb (>= 2) | cc", "bb=1"}, nil, []string{"aa"}, "package aa depends on bb (>= 2) or cc, which amd64's archive does not have"},
		"too old a version is there":     {[]string{"aa=1; Depends: bb (<< 2)", "bb=3", "bb=1"}, nil, []string{"aa"}, "package aa depends on bb (<< 2)"},
		"conflict":                       {[]string{"aa=1; Conflicts: bb", "bb=1"}, nil, []string{"aa", "bb"}, "package aa conflicts with bb"},
		"conflict with a dependency":     {[]string{"aa=1; Depends: cc; Breaks: bb (<< 2)", "bb=1", "cc=1; Depends: bb"}, nil, []string{"aa"}, "package aa conflicts with bb, which cc depends on"},
		"a conflict of the past":         {[]string{"aa=1; Breaks: bb (<< 1)", "bb=1"}, nil, []string{"aa", "bb"}, "aa bb"},
		"conflict with what it provides": {[]string{"aa=1; Provides: xx; Conflicts: xx"}, nil, []string{"aa"}, "aa"},
		"unknown":                        {[]string{"aa=1"}, nil, []string{"bb"}, "there is no package bb for amd64"},
		"only provided":                  {[]string{"gawk=1; Provides: awk", "mawk=1; Provides: awk"}, nil, []string{"awk"}, "there is no package awk for amd64, but gawk, mawk provide it; use one of these"},
		"a broken field":                 {[]string{"aa=1; Depends: bb ("}, nil, []string{"aa"}, "package aa depends on: "},
	} {
		u := newUniverse("amd64")
		if err := u.add(listOf(tc.packages...), mainArchive); err != nil {
			t.Fatal(err)
		}
		chosen, err := u.resolve(tc.exact, tc.roots)
		got := strings.Join(slices.Sorted(maps.Keys(chosen)), " ")
		if err != nil {
			got = err.Error()
		}
		if got != tc.want && (err == nil || !strings.Contains(got, tc.want)) {
			t.Errorf("%s: it is %q, want %q", name, got, tc.want)
		}
	}
}

func TestParagraphs(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "[]",
		"A: 1\nB: 2\n\n\n# remark\nC:3":          "[map[a:1 b:2] map[c:3]]",
		"A: 1\n more\n .\n# remark\n\tand\nB: 2": "[map[a:1\nmore\n.\nand b:2]]",
		"A:\n x\r\n \t \nB: y\r\n":               "[map[a:\nx] map[b:y]]",
		" x":                                     "error: line 1 continues no field",
		"A: 1\nnothing":                          "error: line 2 is not a field",
		"A: 1\n: x":                              "error: line 2 is not a field",
		"A: 1\na: 2":                             "error: line 2 has the field a again",
	} {
		var all []paragraph
		err := paragraphs(text, nil, func(p paragraph) error { all = append(all, p); return nil })
		got := fmt.Sprint(all)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

const dep5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"

func TestLicenseOf(t *testing.T) {
	for text, want := range map[string]string{
		dep5 + "Files: *\nLicense: Expat\n text":                                     "MIT",
		dep5 + "Files: *\nLicense: GPL-2+\n\nFiles: b\nLicense: LGPL-2.1\n":          "GPL-2.0-or-later AND LGPL-2.1-only",
		dep5 + "Files: *\nLicense: GPL-3.0+ or Artistic-2.0\n":                       "GPL-3.0-or-later OR Artistic-2.0",
		dep5 + "Files: *\nLicense: ISC or GPL-2\n\nFiles: b\nLicense: Zlib\n":        "(ISC OR GPL-2.0-only) AND Zlib",
		dep5 + "Files: *\nLicense: BSD-3-clause and ISC\n\nLicense: ISC\n text":      "BSD-3-Clause AND ISC",
		dep5 + "Files: *\nLicense: GFDL-NIV-1.3+\n":                                  "GFDL-1.3-no-invariants-or-later",
		strings.Replace(dep5, "https:", "http:", 1) + "Files: *\nLicense: MPL-2.0\n": "MPL-2.0",
		// What is not exact is not told.
		dep5 + "Files: *\nLicense: Expat\n\nFiles: b\nLicense: public-domain\n": "",
		dep5 + "Files: *\nLicense: MIT\n":                                       "",
		dep5 + "Files: *\nLicense: GPL-2+ with OpenSSL exception\n":             "",
		dep5 + "Files: *\nLicense: GPL-2 or ISC, and Zlib\n":                    "",
		dep5 + "Files: *\nLicense: GPL\n":                                       "",
		dep5 + "Files: *\nLicense:\n":                                           "",
		dep5 + "Files: *\nCopyright: me\n":                                      "",
		dep5:                                                                    "",
		"Files: *\nLicense: Expat\n":                                            "",
		"Format: other\n\nFiles: *\nLicense: Expat\n":                           "",
		"This is Debian's package of it.\n\nLicense: GPL, see below.":           "",
		"": "",
	} {
		if got := licenseOf(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// The keys are those of the table in keys/README.md, and none ends within a year of the
// last that its suite has.
func TestKeys(t *testing.T) {
	b, err := ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("keys/README.md")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]time.Time{}
	for _, e := range keyring {
		id := e.PrimaryIdentity()
		seconds := id.SelfSignature.KeyLifetimeSecs
		if seconds == nil {
			t.Fatalf("key %X does not end", e.PrimaryKey.Fingerprint)
		}
		end := e.PrimaryKey.CreationTime.Add(time.Duration(*seconds) * time.Second)
		suite := "trixie"
		if strings.Contains(id.Name, "bookworm") {
			suite = "bookworm"
		}
		if line := fmt.Sprintf("| %X | %s |", e.PrimaryKey.Fingerprint, end.UTC().Format(time.DateOnly)); !bytes.Contains(readme, []byte(line)) {
			t.Errorf("keys/README.md has no %s of %s", line, id.Name)
		}
		if end.After(last[suite]) {
			last[suite] = end
		}
	}
	if len(keyring) != 6 || bytes.Count(readme, []byte(".pgp |")) != 6 {
		t.Errorf("there are %d keys", len(keyring))
	}
	for _, suite := range Suites {
		if time.Until(last[suite]) < 365*24*time.Hour {
			t.Errorf("the keys of %s end at %s; take those of a newer debian-archive-keyring", suite, last[suite])
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1:1.0-1", "1.0~rc1")
	f.Add("", "~")
	f.Fuzz(func(t *testing.T, a, b string) {
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			t.Errorf("%q and %q have no order", a, b)
		}
	})
}

// FuzzPackages reads lists of packages and resolves something of them.
func FuzzPackages(f *testing.F) {
	f.Add(listOf("a=1; Depends: b | c (>= 2)", "b=1; Provides: x (= 1)", "c=1; Conflicts: a"), "a")
	f.Add("Package: a\nVersion: 1\nArchitecture: all\nSize: x\n", "a")
	f.Fuzz(func(t *testing.T, list, name string) {
		u := newUniverse("amd64")
		if err := u.add(list, mainArchive); err != nil {
			return
		}
		chosen, err := u.resolve(nil, []string{name})
		for n, r := range chosen {
			if n != r.Name {
				t.Errorf("%q is under %q", r.Name, n)
			}
			if err == nil && checkPackage(r.DebianPackage) == nil && strings.Contains(r.Path, "..") {
				t.Errorf("%q leaves the pool", r.Path)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	f.Add("Codename: trixie\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2026 09:15:44 UTC\nArchitectures: all amd64\nAcquire-By-Hash: yes\nSHA256:\n " + strings.Repeat("0", 64) + " 1 main/binary-amd64/Packages\n " + strings.Repeat("1", 64) + " 1 main/binary-amd64/Packages.gz\n")
	f.Add("Codename: trixie\nDate: x\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := parseIndex(text, mainArchive, "trixie", "", now, nil)
		if err != nil {
			return
		}
		if _, compressed, plain, ok, err := x.packages("amd64"); ok && err == nil {
			if checkSHA256(compressed.sha256) != nil || checkSHA256(plain.sha256) != nil || plain.size < 0 || compressed.size < 0 {
				t.Errorf("the list is %+v, %+v", compressed, plain)
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	a := debiantest.New(f)
	keyring, err := readKeyring(a.Keyring(f))
	if err != nil {
		f.Fatal(err)
	}
	signed := "Codename: trixie\n"
	f.Add(a.Sign(f, signed))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, message []byte) {
		text, err := keyring.Verify(message, now)
		if err == nil && strings.TrimSpace(string(text)) != strings.TrimSpace(signed) {
			t.Errorf("%q counts as signed", text)
		}
	})
}

func FuzzLicense(f *testing.F) {
	f.Add(dep5 + "Files: *\nLicense: GPL-2+ or ISC\n")
	f.Fuzz(func(t *testing.T, text string) { licenseOf(text) })
}
