package layerfs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ELF describes the dependencies and the offers of an ELF file.
type ELF struct {
	Machine elf.Machine `json:"m"`
	Class   elf.Class   `json:"c"`
	Data    elf.Data    `json:"o"` // byte order
	Needed  []string    `json:"n,omitempty"`
	// RunPath is DT_RUNPATH, RPath DT_RPATH, split at the colons. RPath is empty if there is a
	// RunPath, as the dynamic linker ignores it then.
	RunPath []string `json:"r,omitempty"`
	RPath   []string `json:"h,omitempty"`
	Soname  string   `json:"s,omitempty"`
	Interp  string   `json:"i,omitempty"`
	// Requires are the required symbol versions, by the library's name; Provides are the versions
	// that the file defines.
	Requires map[string][]string `json:"v,omitempty"`
	Provides []string            `json:"d,omitempty"`
}

const (
	// maxDynamic bounds the dynamic table, in bytes: a library's has about 50 entries of 16.
	maxDynamic = 64 << 10
	// maxString and maxStrings bound one string, and all strings together, in bytes: the C
	// library's have 2 KiB. Many entries may refer to one long string.
	maxString, maxStrings = 4096, 128 << 10
)

var errStrings = errors.New("its dynamic table has too long strings, or too many")

// ReadELF reads the parts of a file that the dynamic linker reads: the program headers and the
// dynamic table (System V ABI, chapter 5; the versions: LSB 10.7). It ignores section headers:
// the library for them allocates as much memory as they say, and decompresses. An error says that
// the file is not ELF, or damaged.
func ReadELF(r io.ReaderAt) (*ELF, error) {
	f, err := elf.NewFile(withoutSections{r})
	if err != nil {
		return nil, err
	}
	d := &dynamic{file: f, info: &ELF{Machine: f.Machine, Class: f.Class, Data: f.Data}, left: maxStrings}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Filesz > 0 {
			if _, err := p.ReadAt(make([]byte, 1), int64(min(p.Filesz, 1<<62))-1); err != nil {
				return nil, fmt.Errorf("it is truncated: %w", err)
			}
		}
		if p.Type != elf.PT_INTERP {
			continue
		}
		b := make([]byte, min(p.Filesz, maxString))
		if _, err := p.ReadAt(b, 0); err != nil && err != io.EOF {
			return nil, err
		}
		d.info.Interp, _, _ = strings.Cut(string(b), "\x00")
	}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d.info, nil
}

// withoutSections hides the section headers.
type withoutSections struct{ r io.ReaderAt }

func (w withoutSections) ReadAt(p []byte, at int64) (int, error) {
	n, err := w.r.ReadAt(p, at)
	if at >= 64 || n == 0 {
		return n, err
	}
	var class [5]byte
	if _, err := w.r.ReadAt(class[:], 0); err != nil {
		return n, err
	}
	// e_shoff, and e_shnum with e_shstrndx.
	hidden := [][2]int64{{32, 36}, {48, 52}}
	if elf.Class(class[4]) == elf.ELFCLASS64 {
		hidden = [][2]int64{{40, 48}, {60, 64}}
	}
	for _, h := range hidden {
		for i := max(h[0]-at, 0); i < h[1]-at && i < int64(n); i++ {
			p[i] = 0
		}
	}
	return n, err
}

// dynamic is the dynamic table of a file.
type dynamic struct {
	file *elf.File
	info *ELF
	left int // bytes of strings that may still be read
	// values are those of the tags that occur once.
	values  map[elf.DynTag]uint64
	strings section
}

// section is a part of the file that is loaded.
type section struct {
	r    io.ReaderAt
	from int64
	size int64
}

// at reads n bytes.
func (s section) at(offset uint64, n int) ([]byte, error) {
	if s.r == nil || offset > uint64(s.size) || int64(n) > s.size-int64(offset) {
		return nil, errors.New("its dynamic table points to nothing")
	}
	b := make([]byte, n)
	_, err := s.r.ReadAt(b, s.from+int64(offset))
	return b, err
}

// loaded returns the part of the file that begins at an address.
func (d *dynamic) loaded(address uint64) section {
	for _, p := range d.file.Progs {
		if p.Type == elf.PT_LOAD && address >= p.Vaddr && address-p.Vaddr < p.Filesz {
			offset := int64(address - p.Vaddr)
			return section{p, offset, int64(min(p.Filesz, 1<<62)) - offset}
		}
	}
	return section{}
}

func (d *dynamic) read() error {
	needed, err := d.table()
	if err != nil || d.values == nil {
		return err
	}
	d.strings = d.loaded(d.values[elf.DT_STRTAB])
	if size, ok := d.values[elf.DT_STRSZ]; ok && size < uint64(d.strings.size) {
		d.strings.size = int64(size)
	}
	for _, at := range needed {
		name, err := d.string(at)
		if err != nil {
			return err
		}
		d.info.Needed = append(d.info.Needed, name)
	}
	for tag, to := range map[elf.DynTag]func(string){
		elf.DT_SONAME:  func(s string) { d.info.Soname = s },
		elf.DT_RUNPATH: func(s string) { d.info.RunPath = folders(s) },
		elf.DT_RPATH:   func(s string) { d.info.RPath = folders(s) },
	} {
		at, ok := d.values[tag]
		if !ok {
			continue
		}
		s, err := d.string(at)
		if err != nil {
			return err
		}
		to(s)
	}
	if len(d.info.RunPath) > 0 {
		d.info.RPath = nil
	}
	if err := d.requires(); err != nil {
		return err
	}
	return d.provides()
}

func folders(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ':' })
}

// table reads the dynamic table; values stays nil if there is none.
func (d *dynamic) table() (needed []uint64, err error) {
	for _, p := range d.file.Progs {
		if p.Type != elf.PT_DYNAMIC {
			continue
		}
		b := make([]byte, min(p.Filesz, maxDynamic))
		n, err := p.ReadAt(b, 0)
		if err != nil && err != io.EOF {
			return nil, err
		}
		b = b[:n]
		d.values = map[elf.DynTag]uint64{}
		word := 8
		if d.file.Class == elf.ELFCLASS32 {
			word = 4
		}
		number := func(b []byte) uint64 {
			if word == 4 {
				return uint64(d.file.ByteOrder.Uint32(b))
			}
			return d.file.ByteOrder.Uint64(b)
		}
		for ; len(b) >= 2*word; b = b[2*word:] {
			tag, value := elf.DynTag(number(b)), number(b[word:])
			switch tag {
			case elf.DT_NULL:
				return needed, nil
			case elf.DT_NEEDED:
				needed = append(needed, value)
			default:
				d.values[tag] = value
			}
		}
	}
	return needed, nil
}

// string returns a string of the string table.
func (d *dynamic) string(at uint64) (string, error) {
	b := make([]byte, min(maxString, max(0, d.strings.size-int64(min(at, 1<<62)))))
	if d.strings.r == nil || len(b) == 0 {
		return "", errors.New("its dynamic table refers to a string that does not exist")
	}
	n, err := d.strings.r.ReadAt(b, d.strings.from+int64(at))
	if err != nil && err != io.EOF {
		return "", err
	}
	end := bytes.IndexByte(b[:n], 0)
	if d.left -= end + 16; end < 0 || d.left < 0 {
		return "", errStrings
	}
	return string(b[:end]), nil
}

// maxVersions bounds the number of libraries, and of versions, that are read.
const maxVersions = 4096

// requires reads the required versions of libraries.
func (d *dynamic) requires() error {
	from := d.loaded(d.values[elf.DT_VERNEED])
	if _, ok := d.values[elf.DT_VERNEED]; !ok {
		return nil
	}
	order, seen := d.file.ByteOrder, 0
	for at, count := uint64(0), d.values[elf.DT_VERNEEDNUM]; count > 0; count-- {
		need, err := from.at(at, 16)
		if err != nil {
			return err
		}
		library, err := d.string(uint64(order.Uint32(need[4:])))
		if err != nil {
			return err
		}
		aux := at + uint64(order.Uint32(need[8:]))
		for range order.Uint16(need[2:]) {
			if seen++; seen > maxVersions {
				return fmt.Errorf("it requires more than %d versions", maxVersions)
			}
			a, err := from.at(aux, 16)
			if err != nil {
				return err
			}
			version, err := d.string(uint64(order.Uint32(a[8:])))
			if err != nil {
				return err
			}
			if elf.DynamicVersionFlag(order.Uint16(a[4:]))&elf.VER_FLG_WEAK == 0 {
				if d.info.Requires == nil {
					d.info.Requires = map[string][]string{}
				}
				d.info.Requires[library] = append(d.info.Requires[library], version)
			}
			next := order.Uint32(a[12:])
			if next == 0 {
				break
			}
			aux += uint64(next)
		}
		next := order.Uint32(need[12:])
		if next == 0 {
			break
		}
		at += uint64(next)
	}
	return nil
}

// provides reads the versions that the file defines.
func (d *dynamic) provides() error {
	if _, ok := d.values[elf.DT_VERDEF]; !ok {
		return nil
	}
	from := d.loaded(d.values[elf.DT_VERDEF])
	order := binary.ByteOrder(d.file.ByteOrder)
	at := uint64(0)
	for i, count := uint64(0), d.values[elf.DT_VERDEFNUM]; i < count; i++ {
		if i == maxVersions {
			return fmt.Errorf("it has more than %d versions", maxVersions)
		}
		def, err := from.at(at, 20)
		if err != nil {
			return err
		}
		aux, err := from.at(at+uint64(order.Uint32(def[12:])), 8)
		if err != nil {
			return err
		}
		name, err := d.string(uint64(order.Uint32(aux)))
		if err != nil {
			return err
		}
		d.info.Provides = append(d.info.Provides, name)
		next := order.Uint32(def[16:])
		if next == 0 {
			break
		}
		at += uint64(next)
	}
	return nil
}
