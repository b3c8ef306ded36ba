package needs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// tinyELF describes an ELF file of a few hundred bytes with a function table.
// Its zero value is a 64-bit little-endian executable that needs nothing.
type tinyELF struct {
	class  elf.Class // ELFCLASS64 if zero
	order  byteOrder // little-endian if nil
	kind   elf.Type  // ET_EXEC if zero
	magic  uint32    // Go 1.20's if zero
	names  []string  // besides those that every program has
	filler int       // that many names of no meaning

	section  string // .gopclntab if empty
	stripped bool   // no section headers
}

var plainNames = []string{"runtime.main", "main.main", "errors.New"}

func (e tinyELF) table() []byte {
	pointer := e.pointer()
	magic := e.magic
	if magic == 0 {
		magic = 0xfffffff1
	}
	var names bytes.Buffer
	for i := range e.filler {
		fmt.Fprintf(&names, "example.com/filler.function%016d\x00", i)
	}
	for _, name := range append(plainNames, e.names...) {
		names.WriteString(name + "\x00")
	}
	header := e.order.AppendUint32(nil, magic)
	header = append(header, 0, 0, 1, byte(pointer))
	start := uint64(8 + 8*pointer)
	end := start + uint64(names.Len())
	for _, word := range []uint64{1, 1, 0, start, end, end, end, end} {
		header = e.appendWord(header, word)
	}
	return append(header, names.Bytes()...)
}

func (e tinyELF) pointer() int {
	if e.class == elf.ELFCLASS32 {
		return 4
	}
	return 8
}

func (e tinyELF) appendWord(b []byte, v uint64) []byte {
	if e.pointer() == 4 {
		return e.order.AppendUint32(b, uint32(v))
	}
	return e.order.AppendUint64(b, v)
}

func (e tinyELF) bytes() []byte {
	if e.order == nil {
		e.order = binary.LittleEndian
	}
	if e.class == 0 {
		e.class = elf.ELFCLASS64
	}
	if e.kind == 0 {
		e.kind = elf.ET_EXEC
	}
	if e.section == "" {
		e.section = ".gopclntab"
	}
	headerSize, sectionSize := 64, 64
	if e.class == elf.ELFCLASS32 {
		headerSize, sectionSize = 52, 40
	}
	order := e.order
	table := e.table()
	table = append(table, make([]byte, -len(table)&7)...)
	strtab := "\x00" + e.section + "\x00.shstrtab\x00"
	tableAt := uint64(headerSize+7) &^ 7
	strtabAt := tableAt + uint64(len(table))
	sectionsAt := (strtabAt + uint64(len(strtab)) + 7) &^ 7

	data := byte(elf.ELFDATA2LSB)
	if order == byteOrder(binary.BigEndian) {
		data = byte(elf.ELFDATA2MSB)
	}
	b := append([]byte(elf.ELFMAG), byte(e.class), data, byte(elf.EV_CURRENT))
	b = append(b, make([]byte, 9)...)
	b = order.AppendUint16(b, uint16(e.kind))
	b = order.AppendUint16(b, 62)
	b = order.AppendUint32(b, 1)
	b = e.appendWord(b, 0) // entry
	b = e.appendWord(b, 0) // program headers
	shoff, shnum, shstrndx := sectionsAt, uint16(3), uint16(2)
	if e.stripped {
		shoff, shnum, shstrndx = 0, 0, 0
	}
	b = e.appendWord(b, shoff)
	b = order.AppendUint32(b, 0)
	for _, half := range []uint16{uint16(headerSize), 0, 0, uint16(sectionSize), shnum, shstrndx} {
		b = order.AppendUint16(b, half)
	}
	b = append(b, make([]byte, int(tableAt)-len(b))...)
	b = append(b, table...)
	b = append(b, strtab...)
	if e.stripped {
		return b
	}
	b = append(b, make([]byte, int(sectionsAt)-len(b))...)
	section := func(name int, kind elf.SectionType, offset, size uint64) {
		b = order.AppendUint32(b, uint32(name))
		b = order.AppendUint32(b, uint32(kind))
		b = e.appendWord(b, 0) // flags
		b = e.appendWord(b, 0) // address
		b = e.appendWord(b, offset)
		b = e.appendWord(b, size)
		b = order.AppendUint32(b, 0)
		b = order.AppendUint32(b, 0)
		b = e.appendWord(b, 0)
		b = e.appendWord(b, 0)
	}
	section(0, elf.SHT_NULL, 0, 0)
	section(1, elf.SHT_PROGBITS, tableAt, uint64(len(table)))
	section(strings.Index(strtab, ".shstrtab"), elf.SHT_STRTAB, strtabAt, uint64(len(strtab)))
	return b
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}
