package compare

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// An executable whose headers claim more than a linker writes is compared as bytes.
func TestELFHeaders(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	order := binary.LittleEndian
	if elf.Class(self[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(self[elf.EI_DATA]) != elf.ELFDATA2LSB {
		t.Skip("this test changes headers of 64 bits in little endian")
	}
	names := order.Uint64(self[40:]) + uint64(order.Uint16(self[62:]))*uint64(order.Uint16(self[58:]))
	for what, test := range map[string]struct {
		change func(b []byte)
		large  bool
	}{
		"nothing":                       {func([]byte) {}, false},
		"many sections":                 {func(b []byte) { order.PutUint16(b[60:], maxSections+1) }, true},
		"a number in the first section": {func(b []byte) { order.PutUint16(b[60:], 0) }, true},
		"compressed names":              {func(b []byte) { order.PutUint64(b[names+8:], uint64(elf.SHF_COMPRESSED)) }, true},
		"large names":                   {func(b []byte) { order.PutUint64(b[names+32:], maxSectionNames+1) }, true},
		"names of a negative size":      {func(b []byte) { order.PutUint64(b[names+32:], 1<<63) }, true},
		"no sections":                   {func(b []byte) { clear(b[40:48]); clear(b[60:64]) }, false},
	} {
		b := bytes.Clone(self)
		test.change(b)
		if _, err := openELF(bytes.NewReader(b)); errors.Is(err, limit.ErrTooLarge) != test.large || !test.large && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("text"), self[:60], self[:20]} {
		if _, err := openELF(bytes.NewReader(b)); err == nil {
			t.Errorf("%d bytes are an executable", len(b))
		}
	}
}

// Sections that overlap are not compared again and again.
func TestOverlappingSections(t *testing.T) {
	const size, count, table = 2 << 20, 4000, 1 << 20
	order := binary.LittleEndian
	b := make([]byte, size)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	order.PutUint16(b[16:], uint16(elf.ET_EXEC))
	order.PutUint32(b[20:], uint32(elf.EV_CURRENT))
	order.PutUint64(b[40:], table)
	order.PutUint16(b[58:], 64)
	order.PutUint16(b[60:], count)
	for i := 1; i < count; i++ {
		section := b[table+64*i:]
		order.PutUint32(section[4:], uint32(elf.SHT_PROGBITS))
		order.PutUint64(section[8:], uint64(elf.SHF_ALLOC))
		order.PutUint64(section[32:], size)
	}
	var files [2]*os.File
	for i := range files {
		name := filepath.Join(t.TempDir(), "x")
		b[size-1] = byte(i)
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	p := &pair{comparison: &comparison{report: &Report{}}}
	if err := p.contents(t.Context(), files[0], files[1], "x", "binary"); !errors.Is(err, limit.ErrTooLarge) || !strings.Contains(err.Error(), "the sections") {
		t.Errorf("%v", err)
	}
}
