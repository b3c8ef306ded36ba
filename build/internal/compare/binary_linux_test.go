package compare

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
)

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
