package compile

import (
	"context"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
	"github.com/thimble-build/thimble/build/plan"
)

// symbols builds hello for a platform and keeps its symbols.
func symbols(t *testing.T, p *plan.Plan, name, dir string) (binary, file, id string, err error) {
	t.Helper()
	g, _ := fixture(t, "hello")
	platform, err := plan.ParsePlatform(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := Build(t.Context(), g, p, programs(p, platform), dir); err != nil {
		t.Fatal(err)
	}
	binary = Path(dir, programs(p, platform)[0])
	f, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, err = writeSymbols(t.Context(), g, p, programs(p, platform)[0], f)
	return binary, symbolsPath(binary), id, err
}

// TestSymbols keeps the symbols of binaries of both ELF classes and both byte orders, and
// looks for main.main in them.
func TestSymbols(t *testing.T) {
	testtool.NotShort(t)
	_, p := fixture(t, "hello")
	for _, name := range []string{"linux/amd64", "linux/arm/v7", "linux/s390x"} {
		t.Run(name, func(t *testing.T) {
			if name != "linux/amd64" {
				testtool.OnRequest(t, "the standard library is compiled for other machines")
			}
			dir := t.TempDir()
			binary, file, id, err := symbols(t, p, name, dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(id) != 40 {
				t.Errorf("the build id is %q", id)
			}
			whole, kept := open(t, binary), open(t, file)
			a, err := buildIDs(whole)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := buildIDs(kept); err != nil || a != b || b.gnu != id {
				t.Errorf("the ids are %v and %v, %v", a, b, err)
			}
			if text := kept.Section(".text"); text == nil || text.Type != elf.SHT_NOBITS || text.Addr != whole.Section(".text").Addr {
				t.Errorf(".text is %+v", text)
			}
			if _, err := whole.Symbols(); !errors.Is(err, elf.ErrNoSymbols) {
				t.Errorf("the binary has symbols: %v", err)
			}
			if symbols, err := kept.Symbols(); err != nil || len(symbols) < 100 {
				t.Errorf("%d symbols, %v", len(symbols), err)
			}
			entry := function(t, kept, "main.main")
			if text := whole.Section(".text"); entry < text.Addr || entry >= text.Addr+text.Size {
				t.Errorf("main.main is at %#x, outside of the binary's code", entry)
			}
			before, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, err := symbols(t, p, name, dir); err != nil {
				t.Fatal(err)
			}
			if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
				t.Errorf("symbols that fit were made again: %v", err)
			}
		})
	}
}

func open(t *testing.T, name string) *elf.File {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// function is where DWARF says that a function begins.
func function(t *testing.T, f *elf.File, name string) uint64 {
	t.Helper()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			t.Fatalf("DWARF has no %s: %v", name, err)
		}
		if e.Tag == dwarf.TagSubprogram && e.Val(dwarf.AttrName) == name {
			return e.Val(dwarf.AttrLowpc).(uint64)
		}
	}
}

func TestSymbolsRefuse(t *testing.T) {
	testtool.NotShort(t)
	_, p := fixture(t, "hello")
	p.Build.LDFlags = []string{"-s", "-w", "-B", "none"}
	if _, _, _, err := symbols(t, p, "linux/amd64", t.TempDir()); !errors.Is(err, ErrNoBuildID) {
		t.Errorf("without a build id: %v", err)
	}
	// Two programs of one build id.
	dir := t.TempDir()
	build := func(flags ...string) *elf.File {
		g, p := fixture(t, "hello")
		p.Build.LDFlags = append([]string{"-s", "-w"}, flags...)
		if err := Build(t.Context(), g, p, programs(p, p.Platforms[0]), dir); err != nil {
			t.Fatal(err)
		}
		return open(t, Path(dir, programs(p, p.Platforms[0])[0]))
	}
	if err := sameImage(t.Context(), build(), build("-X=runtime.buildVersion=other")); !errors.Is(err, ErrOtherCode) || !strings.Contains(err.Error(), "section") {
		t.Errorf("other code: %v", err)
	}
}

// The symbols are written until the context ends.
func TestOnlySymbolsEndsWithTheContext(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() // only read
	f, err := elf.NewFile(raw)
	if err != nil {
		t.Skipf("this program is no ELF file: %v", err)
	}
	why := errors.New("why")
	ctx, stop := context.WithCancelCause(t.Context())
	written := 0
	err = onlySymbols(ctx, writer(func(b []byte) (int, error) {
		written += len(b)
		stop(why)
		return len(b), nil
	}), raw, f)
	if !errors.Is(err, why) || written == 0 || written > 64<<10 {
		t.Errorf("after %d bytes: %v", written, err)
	}
}

// writer is a function that writes.
type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// Sections are compared until the context ends.
func TestSameImageEndsWithTheContext(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Skipf("this program is no ELF file: %v", err)
	}
	defer f.Close() // only read
	why := errors.New("why")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(why)
	if err := sameImage(ctx, f, f); !errors.Is(err, why) {
		t.Errorf("the error is %v", err)
	}
}
