package debian

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build/internal/debian/debiantest"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// realCache is shared by the tests that read the real archive; TestMain removes it.
var realCache = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("THIMBLE_TEST_DEBIAN_CACHE"); dir != "" {
		return dir, nil
	}
	return os.MkdirTemp("", "thimble-debian-")
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := realCache(); err == nil && os.Getenv("THIMBLE_TEST_DEBIAN_CACHE") == "" {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func realMirror(t testing.TB) Mirror {
	t.Helper()
	dir, err := realCache()
	if err != nil {
		t.Fatal(err)
	}
	return Mirror{URL: debiantest.Mirror(t), Cache: dir}
}

// realArchitectures are the architectures that a suite is tested with.
var realArchitectures = map[string][]string{
	"bookworm": {"amd64", "s390x"},
	"trixie":   {"amd64", "arm64", "riscv64"},
}

var realLock = map[string]func(testing.TB) plan.DebianLock{}

func init() {
	for suite, architectures := range realArchitectures {
		var once sync.Once
		var l plan.DebianLock
		var err error
		realLock[suite] = func(t testing.TB) plan.DebianLock {
			t.Helper()
			m := realMirror(t)
			once.Do(func() {
				l, err = Lock(t.Context(), Request{Mirror: m, Suite: suite, Selections: realSelections(architectures), Now: time.Now()})
			})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
	}
}

func realSelections(architectures []string) []plan.DebianSelection {
	var s []plan.DebianSelection
	for _, arch := range architectures {
		for _, base := range []string{plan.BaseStatic, plan.BaseBase, plan.BaseCC} {
			s = append(s, plan.DebianSelection{Base: base, Architecture: arch})
		}
		s = append(s, plan.DebianSelection{Base: plan.BaseDebian, With: []string{"busybox-static"}, Architecture: arch})
	}
	return s
}

func TestRealLock(t *testing.T) {
	for suite := range realArchitectures {
		l := realLock[suite](t)
		b, _ := json.MarshalIndent(l, "", " ")
		t.Logf("%s", b)
		dir := t.TempDir()
		for _, sel := range l.Selections {
			s, err := Find(&l, sel.Base, sel.With, sel.Architecture)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			tr, err := s.Tree(t.Context(), realMirror(t), dir)
			if err != nil {
				t.Fatal(err)
			}
			h := sha256.New()
			if err := tr.WriteTar(h); err != nil {
				t.Fatal(err)
			}
			t.Log(suite, sel.Base, sel.Architecture, sel.Packages, hex.EncodeToString(h.Sum(nil)), time.Since(start))
		}
	}
}

var _ = filepath.Join
var _ tree.Tree
