package needs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bufferSize is the part of the file that is in memory at once, in bytes.
const bufferSize = 128 << 10

// functions returns which of the known functions the executable contains, or why that is unknown.
func functions(r io.ReaderAt, size int64) (found nameSet, unknown string, err error) {
	var magic [4]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, "", fmt.Errorf("read executable: %w", err)
	}
	if kind := foreign(magic); kind != "" {
		return 0, "a " + kind + " executable: only the function table of ELF files is read", nil
	}
	if string(magic[:]) != elf.ELFMAG {
		return 0, "", fmt.Errorf("read executable: not an executable: begins with %q", magic[:n])
	}
	f, err := elf.NewFile(r)
	if _, malformed := errors.AsType[*elf.FormatError](err); malformed || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, "", fmt.Errorf("read ELF headers: the file is truncated or malformed: %w", err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("read ELF headers: %w", err)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return 0, "", fmt.Errorf("read ELF headers: not an executable: the type is %v", f.Type)
	}
	buf := make([]byte, bufferSize)
	names, unknown, err := findNames(f, r, size, buf)
	if err != nil || unknown != "" {
		return 0, unknown, err
	}
	err = eachName(r, names, buf, func(name []byte) { found |= lookup(name) })
	if err != nil {
		return 0, "", err
	}
	if found.hasAny(ordinaryFunctions...) && found.has(mainFunctions...) {
		return found, "", nil
	}
	unfamiliar := 0
	err = eachName(r, names, buf, func(name []byte) {
		if !ofRuntime(name) {
			unfamiliar++
		}
	})
	if err != nil {
		return 0, "", err
	}
	if !found.has(mainFunctions...) || unfamiliar >= manyNames {
		return 0, "obfuscated: functions that every Go program has are missing", nil
	}
	return found, "", nil
}

// foreign returns the name of another executable format, by its first bytes.
func foreign(magic [4]byte) string {
	switch binary.BigEndian.Uint32(magic[:]) {
	case 0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe, 0xcafebabe:
		return "Mach-O"
	case 0x0061736d:
		return "WebAssembly"
	}
	if magic[0] == 'M' && magic[1] == 'Z' {
		return "PE"
	}
	return ""
}

// extent is a range of bytes in the file.
type extent struct{ offset, size int64 }

// findNames returns the location of the function names, or why it is unknown. Their table is a
// separate section, under another name in some PIEs; if the section headers were stripped, the
// whole file is searched.
func findNames(f *elf.File, r io.ReaderAt, size int64, buf []byte) (names extent, unknown string, err error) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		s := f.Section(name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Offset > uint64(size) || s.FileSize > uint64(size)-s.Offset {
			return extent{}, "", fmt.Errorf(
				"read ELF section %s: it ends after the end of the file, which is truncated or malformed",
				name)
		}
		p := buf[:min(s.FileSize, maxHeader)]
		if err := readFull(r, p, int64(s.Offset)); err != nil {
			return extent{}, "", err
		}
		names, ok := parseHeader(f.ByteOrder, p, extent{int64(s.Offset), int64(s.FileSize)})
		if !ok {
			return extent{},
				"a Go function table of unknown form: obfuscated, or from an unknown Go toolchain", nil
		}
		return names, "", nil
	}
	return searchNames(f.ByteOrder, r, size, buf)
}

// searchNames looks for the only table header in the file. If there is a second one, as in a
// binary that embeds another, it is unknown which one belongs to the file.
func searchNames(order binary.ByteOrder, r io.ReaderAt, size int64,
	buf []byte) (names extent, unknown string, err error) {
	tables := 0
	for offset := int64(0); offset < size; {
		p := buf[:min(size-offset, int64(len(buf)))]
		if err := readFull(r, p, offset); err != nil {
			return extent{}, "", err
		}
		// A header that begins in the last maxHeader bytes is read again, complete, at the front
		// of the next piece. Tables are aligned to a pointer.
		end := len(p)
		if int64(end) < size-offset {
			end -= maxHeader
		}
		for i := 0; i < end && i+minHeader <= len(p); i += 4 {
			if !knownMagic(order.Uint32(p[i:])) {
				continue
			}
			at := extent{offset + int64(i), size - offset - int64(i)}
			if found, ok := parseHeader(order, p[i:min(i+maxHeader, len(p))], at); ok {
				names = found
				tables++
			}
		}
		offset += int64(end)
	}
	switch tables {
	case 0:
		return extent{}, "no Go function table: packed, obfuscated, or not made by the Go toolchain", nil
	case 1:
		return names, "", nil
	}
	return extent{}, "several Go function tables and no section headers to tell them apart", nil
}

// knownMagic says whether a table begins with this value (internal/abi/symtab.go). The format of
// Go 1.26 is that of 1.20; the one of 1.18 differs only in generated names.
func knownMagic(magic uint32) bool {
	const go118, go120 = 0xfffffff0, 0xfffffff1
	return magic == go118 || magic == go120
}

// A table's header has eight bytes with the same meaning on all machines (magic, two zeros, the
// size of an instruction, the size of a pointer), then eight words of the pointer's size: the
// numbers of functions and of files, one that is unused, and the offsets of function names,
// compilation units, file names, line tables and functions, which follow each other in this
// order.
const (
	minHeader   = 8
	headerWords = 8
	maxHeader   = minHeader + headerWords*8
)

// parseHeader returns the location of the names in the file, given the header of the table and
// the location of the table. It returns false for a header that the Go linker would not write.
func parseHeader(order binary.ByteOrder, header []byte, table extent) (names extent, ok bool) {
	if len(header) < minHeader || !knownMagic(order.Uint32(header)) || header[4] != 0 || header[5] != 0 {
		return extent{}, false
	}
	quantum, pointer := header[6], int(header[7])
	if quantum != 1 && quantum != 2 && quantum != 4 || pointer != 4 && pointer != 8 ||
		len(header) < minHeader+headerWords*pointer {
		return extent{}, false
	}
	word := func(i int) uint64 {
		if p := header[minHeader+i*pointer:]; pointer == 8 {
			return order.Uint64(p)
		} else {
			return uint64(order.Uint32(p))
		}
	}
	last := uint64(minHeader + headerWords*pointer)
	for i := 3; i < headerWords; i++ {
		if word(i) < last {
			return extent{}, false
		}
		last = word(i)
	}
	if word(0) == 0 || last > uint64(table.size) {
		return extent{}, false
	}
	start, end := int64(word(3)), int64(word(4))
	return extent{table.offset + start, end - start}, true
}

// eachName calls visit with every NUL-terminated name. A name longer than longestName may be
// shortened, but stays longer than longestName.
func eachName(r io.ReaderAt, names extent, buf []byte, visit func(name []byte)) error {
	kept := 0 // bytes at the front of buf that begin an incomplete name
	for names.size > 0 {
		n := int(min(names.size, int64(len(buf)-kept)))
		if err := readFull(r, buf[kept:kept+n], names.offset); err != nil {
			return err
		}
		names.offset += int64(n)
		names.size -= int64(n)
		rest := buf[:kept+n]
		for {
			i := bytes.IndexByte(rest, 0)
			if i < 0 {
				break
			}
			visit(rest[:i])
			rest = rest[i+1:]
		}
		kept = copy(buf, rest[:min(len(rest), longestName+1)])
	}
	return nil
}

func readFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read Go function table: %w", err)
}
