package delve

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// TestFind finds the version that this repository pins, and builds it.
func TestFind(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Find(t.Context(), root, append(os.Environ(), "GOENV=off", "GOFLAGS="))
	if err != nil {
		t.Fatal(err)
	}
	platform := plan.Platform{OS: "linux", Architecture: "arm64"}
	if err := s.Check(t.Context(), platform); err != nil {
		t.Error(err)
	}
	err = s.Check(t.Context(), plan.Platform{OS: "linux", Architecture: "s390x"})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "linux/s390x (delve "+s.Version+"); choose others with -platform") {
		t.Errorf("a platform that delve lacks: %v", err)
	}
	if !testtool.Part(t, "minutes: delve is compiled") {
		return
	}
	dir := t.TempDir()
	info, err := s.Build(t.Context(), platform, dir)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(s.Path(platform, dir)) != "dlv" || info.Path != Package {
		t.Errorf("built %s of %s", s.Path(platform, dir), info.Path)
	}
	modules, err := s.Modules(t.Context(), platform)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		i := slices.IndexFunc(modules, func(x golist.Module) bool { return x.Path == m.Path })
		if i < 0 || modules[i].Version != m.Version || len(modules[i].Packages) == 0 {
			t.Errorf("%s %s is linked, and not listed so", m.Path, m.Version)
		}
		if m.Path == Module && m.Version != s.Version {
			t.Errorf("delve is %s, not %s", m.Version, s.Version)
		}
	}
}

func TestFindWithoutToolLine(t *testing.T) {
	dir := t.TempDir()
	for _, gomod := range []string{"", "module example.com/x\n\ntool github.com/magefile/mage\n"} {
		if gomod != "" {
			if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(gomod), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Find(t.Context(), dir, os.Environ()); err == nil || !strings.Contains(err.Error(), `run "go -C magefiles get -tool github.com/go-delve/delve/cmd/dlv@latest"`) {
			t.Errorf("error = %v", err)
		}
	}
}

// The version that this package pins is the one in this repository's go.mod, which is kept up to date.
func TestPinned(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`github.com/go-delve/delve v\S+`)
	if want, got := line.FindString(string(mod)), line.FindString(string(pinnedMod)); want == "" || got != want {
		t.Errorf("pinned is %q, in go.mod %q", got, want)
	}
}
