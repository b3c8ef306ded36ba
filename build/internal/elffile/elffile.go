// Package elffile opens executables of strangers. The headers of an ELF file (System V ABI, chapters 4
// and 5) may claim anything; debug/elf believes them. This package refuses headers that claim
// more than a linker writes, before debug/elf reads the file.
package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/thimble-build/thimble/build/internal/limit"
)

const (
	// maxSections is the maximum number of an executable's sections, and maxNames of the bytes of
	// their names: a Go binary with debug information has 40 sections.
	maxSections     = 4096
	maxSectionNames = 1 << 20
)

// New parses the ELF file that r reads. The error is limit.ErrTooLarge for headers that claim too
// much: debug/elf reads as many sections as they say, and decompresses the names.
func New(r io.ReaderAt) (*elf.File, error) {
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
