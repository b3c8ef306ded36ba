package debian

import (
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/singleflight"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// dpkg orders versions as we do: those above, and others made of what is tricky.
func TestDpkgComparesVersions(t *testing.T) {
	testtool.Program(t, "dpkg")
	var pairs [][2]string
	for i := range versions[1:] {
		pairs = append(pairs, [2]string{versions[i], versions[i+1]})
	}
	pairs = append(pairs, [][2]string{
		{"1.0~", "1.0~~"}, {"1.0~~a", "1.0~"}, {"1.0a", "1.0+"}, {"1.0-1-1", "1.0-1"}, {"1:1:2", "1:1.2"}, {"001", "1"}, {"0:1", "1"},
		{"1.0-0", "1.0"}, {"1.", "1"}, {"1.a", "1.~"}, {"1Z", "1a"}, {"99999999999999999999999", "100000000000000000000000"}, {"1.0-~", "1.0"},
	}...)
	parts := []string{"~", "~~", "+", ".", "0", "00", "1", "9", "10", "a", "Z", "-", "rc1", "deb13u1", "dfsg", "b1"}
	random := rand.New(rand.NewPCG(1, 2))
	one := func() string {
		var b strings.Builder
		if random.IntN(4) == 0 {
			b.WriteString("1:")
		}
		b.WriteByte('1')
		for range random.IntN(5) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		return strings.TrimRight(b.String(), "-")
	}
	for range 200 {
		pairs = append(pairs, [2]string{one(), one()})
	}
	operators := map[int]string{-1: "lt", 0: "eq", 1: "gt"}
	for _, p := range pairs {
		got := compareVersions(p[0], p[1])
		out, err := testtool.Command(t, "dpkg", "--compare-versions", p[0], operators[got], p[1]).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("dpkg does not find that %s is %s %s: %v %s", p[0], operators[got], p[1], err, out)
		}
		for _, v := range p {
			if err := checkVersion(v); err != nil {
				t.Error(err)
			}
		}
	}
}

// Every relation and every version of the real lists is read.
func TestRealRelations(t *testing.T) {
	r := realRequest(t, "trixie", "amd64")
	keys, err := ArchiveKeys()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := readKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	indexes, err := r.indexes(t.Context(), keyring)
	if err != nil {
		t.Fatal(err)
	}
	var u *universe
	err = r.Mirror.locked(t.Context(), func() (err error) {
		u, err = r.universe(t.Context(), &singleflight.Group{}, indexes, "amd64")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	packages, longest := 0, 0
	for _, all := range u.packages {
		for _, p := range all {
			packages++
			if err := checkVersion(p.Version); err != nil {
				t.Errorf("package %s: %v", p.Name, err)
			}
			for _, field := range []string{p.preDepends, p.depends, p.provides, p.conflicts, p.breaks} {
				longest = max(longest, len(field))
				if _, err := readRelations(field); err != nil {
					t.Errorf("package %s: %v", p.Name, err)
				}
			}
		}
	}
	if packages < 50_000 {
		t.Errorf("there are %d packages", packages)
	}
	t.Logf("%d packages, the longest field has %d bytes", packages, longest)
}
