package compile

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/plan"
)

// ErrNoBuildID is the cause of an error of writeSymbols when the binary has no GNU build id, by
// which a debugger finds its symbols.
var ErrNoBuildID = errors.New("the binary has no GNU build id")

// ErrOtherCode is the cause of an error of writeSymbols when the linker wrote other code or data
// while it kept the symbols. The symbols would be wrong.
var ErrOtherCode = errors.New("the symbols do not match the binary")

// symbolsPath returns where writeSymbols writes the symbols of a binary.
func symbolsPath(binary string) string { return binary + ".debug" }

// writeSymbols writes what -s -w removed from a binary of Build (its symbol table and DWARF) into
// the file of symbolsPath, and returns the binary's GNU build id in hex.
//
// The image is linked a second time, from the same compiled packages, with the symbols and with
// the two build ids of the first binary. (By default the linker would derive these from its
// flags.) Every section that is loaded into memory must then be the same, byte for byte, or the
// error is ErrOtherCode. Then the content of those sections is removed again (as objcopy
// --only-keep-debug does), so the file contains only symbols.
//
// A file with the same build ids is not changed, because the Go build id contains a hash of the
// binary. The caller must check whether the rest of it was changed.
func writeSymbols(ctx context.Context, g *gocmd.Go, p *plan.Plan, program artifact.Program,
	binary *os.File) (buildID string, err error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("keep the symbols of %s for %s: %w", program.Package, program.Platform, err)
	}
	stripped, err := elf.NewFile(binary)
	if err != nil {
		return fail(err)
	}
	ids, err := buildIDs(stripped)
	if err != nil {
		return fail(err)
	}
	if ids.gnu == "" || ids.golang == "" {
		return fail(fmt.Errorf(
			"%w; remove -B and -buildid from Config.LDFlags (Go 1.24 or later writes the build id itself)",
			ErrNoBuildID))
	}
	file := symbolsPath(binary.Name())
	if kept, err := elf.Open(file); err == nil {
		old, err := buildIDs(kept)
		kept.Close() // only read
		if err == nil && old == ids {
			return ids.gnu, nil
		}
	}

	again := program
	again.Image.LDFlags = append(slices.Clone(program.Image.LDFlags), "-s=false", "-w=false",
		"-buildid="+ids.golang, "-B=0x"+ids.gnu)
	dir, err := os.MkdirTemp(filepath.Dir(binary.Name()), "symbols-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := Build(ctx, g, p, []artifact.Program{again}, dir); err != nil {
		return fail(err)
	}
	whole, err := os.Open(Path(dir, again))
	if err != nil {
		return fail(err)
	}
	defer whole.Close() // only read
	full, err := elf.NewFile(whole)
	if err != nil {
		return fail(err)
	}
	if err := sameImage(ctx, stripped, full); err != nil {
		return fail(err)
	}
	if full.Section(".debug_info") == nil && full.Section(".zdebug_info") == nil {
		return fail(errors.New("the linker wrote none"))
	}
	err = atomicfile.WriteFunc(file, 0o644, func(w io.Writer) error {
		return onlySymbols(ctx, w, whole,
			full)
	})
	if err != nil {
		return fail(err)
	}
	return ids.gnu, nil
}

// ids are the build ids in a binary: the Go command's, and the GNU one in hex.
type ids struct{ golang, gnu string }

func buildIDs(f *elf.File) (found ids, err error) {
	for _, s := range f.Sections {
		if s.Type != elf.SHT_NOTE {
			continue
		}
		b, err := s.Data()
		if err != nil {
			return found, fmt.Errorf("read %s: %w", s.Name, err)
		}
		// An ELF note: three words, the owner's name and the content. Name and content are
		// padded to four bytes.
		if len(b) < 12 {
			continue
		}
		name, size, kind := f.ByteOrder.Uint32(b), f.ByteOrder.Uint32(b[4:]), f.ByteOrder.Uint32(b[8:])
		start := 12 + (uint64(name)+3)/4*4
		if start+uint64(size) > uint64(len(b)) {
			continue
		}
		content := b[start : start+uint64(size)]
		switch owner := string(bytes.TrimRight(b[12:12+name], "\x00")); {
		case owner == "Go" && kind == 4: // ELF_NOTE_GOBUILDID_TAG of cmd/internal/buildid
			found.golang = string(content)
		case owner == "GNU" && kind == 3: // NT_GNU_BUILD_ID
			found.gnu = hex.EncodeToString(content)
		}
	}
	return found, nil
}

// sameImage checks that two files give a process the same memory.
func sameImage(ctx context.Context, a, b *elf.File) error {
	if a.Machine != b.Machine || a.Entry != b.Entry || a.Class != b.Class {
		return fmt.Errorf("%w: it is for another machine, or has another entry point", ErrOtherCode)
	}
	loaded := func(f *elf.File) (list []*elf.Section) {
		for _, s := range f.Sections {
			if s.Flags&elf.SHF_ALLOC != 0 {
				list = append(list, s)
			}
		}
		return list
	}
	first, second := loaded(a), loaded(b)
	if len(first) != len(second) {
		return fmt.Errorf("%w: %d sections are loaded, and %d without them", ErrOtherCode,
			len(second), len(first))
	}
	for i, x := range first {
		y := second[i]
		if x.Name != y.Name || x.Type != y.Type || x.Flags != y.Flags ||
			x.Addr != y.Addr || x.Size != y.Size {
			return fmt.Errorf("%w: section %s is at %#x with %d bytes, and %s at %#x with %d without them",
				ErrOtherCode, y.Name, y.Addr, y.Size, x.Name, x.Addr, x.Size)
		}
		if x.Type == elf.SHT_NOBITS {
			continue
		}
		same, err := sameBytes(limit.Reader(ctx, x.Open()), limit.Reader(ctx, y.Open()))
		if err != nil {
			return fmt.Errorf("read section %s: %w", x.Name, err)
		}
		if !same {
			return fmt.Errorf("%w: section %s differs", ErrOtherCode, x.Name)
		}
	}
	return nil
}

func sameBytes(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, x)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		m, other := io.ReadFull(b, y)
		if other != nil && other != io.EOF && other != io.ErrUnexpectedEOF {
			return false, other
		}
		if !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if err != nil {
			return true, nil
		}
	}
}
