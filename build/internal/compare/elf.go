package compare

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/thimble-build/thimble/build/internal/limit"
)

const (
	// maxSections is the maximum number of an executable's sections, and maxNames of the bytes of
	// their names: a Go binary with debug information has 40 sections.
	maxSections     = 4096
	maxSectionNames = 1 << 20
	// maxInfo limits what is read to find the build info, in bytes. Without its section, it is
	// searched for in all data.
	maxInfo = 64 << 20
)

// openELF parses an executable, whose headers may claim anything: the library reads as many
// sections as they say, and decompresses the names.
func openELF(r io.ReaderAt) (*elf.File, error) {
	if err := checkHeaders(r); err != nil {
		return nil, err
	}
	return elf.NewFile(r)
}

// checkHeaders checks the number of the sections and the section with their names (System V ABI,
// chapter 4, "Sections").
func checkHeaders(r io.ReaderAt) error {
	var h [64]byte
	if n, err := r.ReadAt(h[:], 0); err != nil && (!errors.Is(err, io.EOF) || n < 52) {
		return err
	}
	if string(h[:4]) != elf.ELFMAG {
		return errors.New("it is not an ELF file")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(h[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	var at, size int64
	var count, names, each uint16
	long := elf.Class(h[elf.EI_CLASS]) == elf.ELFCLASS64
	if long {
		at, each, count, names = int64(order.Uint64(h[40:])), order.Uint16(h[58:]), order.Uint16(h[60:]),
			order.Uint16(h[62:])
	} else {
		at, each, count, names = int64(order.Uint32(h[32:])), order.Uint16(h[46:]), order.Uint16(h[48:]),
			order.Uint16(h[50:])
	}
	if count > maxSections || count == 0 && at != 0 { // a section has the real number
		return fmt.Errorf("its sections: %w: more than %d", limit.ErrTooLarge, maxSections)
	}
	if count == 0 {
		return nil
	}
	var s [40]byte
	if _, err := r.ReadAt(s[:], at+int64(names)*int64(each)); err != nil {
		return fmt.Errorf("read the names of the sections: %w", err)
	}
	var flags uint64
	if long {
		flags, size = order.Uint64(s[8:]), int64(order.Uint64(s[32:]))
	} else {
		flags, size = uint64(order.Uint32(s[8:])), int64(order.Uint32(s[20:]))
	}
	if elf.SectionFlag(flags)&elf.SHF_COMPRESSED != 0 || size < 0 || size > maxSectionNames {
		return fmt.Errorf("the names of its sections: %w", limit.ErrTooLarge)
	}
	return nil
}

// sectionBytes returns how many bytes the sections of a file may have. Debug information is often
// compressed, and sections may overlap.
func sectionBytes(file int64) uint64 { return max(8*uint64(file), 64<<20) }

// larger returns the size of the larger file, in bytes.
func larger(a, b *os.File) (int64, error) {
	x, err := a.Stat()
	if err != nil {
		return 0, err
	}
	y, err := b.Stat()
	if err != nil {
		return 0, err
	}
	return max(x.Size(), y.Size()), nil
}

// bounded is a file of which only some bytes are read.
type bounded struct {
	r    io.ReaderAt
	left int64
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, limit.ErrTooLarge
	}
	return b.r.ReadAt(p, at)
}

// seeker is a file whose reads end with a context.
type seeker struct {
	io.Reader
	io.Seeker
}
