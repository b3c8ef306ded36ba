package compile

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// onlySymbols writes an ELF file without the content of sections that are loaded into memory,
// except notes, which include the build ids. Their headers are kept as NOBITS, because symbols
// refer to them by number and address. So debuggers accept the file like the output of objcopy
// --only-keep-debug. raw is the file that f was read from.
func onlySymbols(ctx context.Context, w io.Writer, raw io.ReaderAt, f *elf.File) error {
	if f.Class == elf.ELFCLASS64 {
		return rewrite(limit.Writer(ctx, w), raw, f, layout64)
	}
	return rewrite(limit.Writer(ctx, w), raw, f, layout32)
}

// layout has the positions of the ELF fields that change, for one ELF class (System V ABI,
// chapter 4): sizes of the three headers, offsets of e_phoff, e_shoff, p_filesz, sh_type,
// sh_offset.
type layout struct {
	word                     int // bytes of an offset
	header, program, section int
	phoff, shoff             int
	filesz, shType, shOffset int
}

var (
	layout32 = layout{word: 4, header: 52, program: 32, section: 40, phoff: 28, shoff: 32, filesz: 16,
		shType: 4, shOffset: 16}
	layout64 = layout{word: 8, header: 64, program: 56, section: 64, phoff: 32, shoff: 40, filesz: 32,
		shType: 4, shOffset: 24}
)

func (l layout) get(o binary.ByteOrder, b []byte) int64 {
	if l.word == 8 {
		return int64(o.Uint64(b))
	}
	return int64(o.Uint32(b))
}

func (l layout) put(o binary.ByteOrder, b []byte, v int64) {
	if l.word == 8 {
		o.PutUint64(b, uint64(v))
	} else {
		o.PutUint32(b, uint32(v))
	}
}

func rewrite(w io.Writer, raw io.ReaderAt, f *elf.File, l layout) error {
	read := func(at int64, n int) ([]byte, error) {
		b := make([]byte, n)
		_, err := raw.ReadAt(b, at)
		return b, err
	}
	header, err := read(0, l.header)
	if err != nil {
		return fmt.Errorf("read the ELF header: %w", err)
	}
	order := f.ByteOrder
	programs, err := read(l.get(order, header[l.phoff:]), len(f.Progs)*l.program)
	if err != nil {
		return fmt.Errorf("read the program headers: %w", err)
	}
	sections, err := read(l.get(order, header[l.shoff:]), len(f.Sections)*l.section)
	if err != nil {
		return fmt.Errorf("read the section headers: %w", err)
	}
	// The new file: header, program headers, contents, section headers.
	at := int64(l.header + len(programs))
	offsets := make([]int64, len(f.Sections))
	var kept []int
	left := at // of the first segment
	for i, s := range f.Sections {
		h := sections[i*l.section:]
		if s.Type == elf.SHT_NULL {
			continue
		}
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOTE {
			order.PutUint32(h[l.shType:], uint32(elf.SHT_NOBITS))
		}
		at = align(at, int64(s.Addralign))
		if note := s.Flags&elf.SHF_ALLOC != 0 && s.Type == elf.SHT_NOTE; note && int64(s.Offset) >= at &&
			s.Offset < maxNotes {
			at = int64(s.Offset) // where the program headers say it is
			left = at + int64(s.FileSize)
		}
		offsets[i] = at
		l.put(order, h[l.shOffset:], at)
		if s.Type != elf.SHT_NOBITS && order.Uint32(h[l.shType:]) != uint32(elf.SHT_NOBITS) {
			kept = append(kept, i)
			at += int64(s.FileSize)
		}
	}
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD { // headers and notes remain
			var size int64
			if p.Off == 0 {
				size = min(left, int64(p.Filesz))
			}
			l.put(order, programs[i*l.program+l.filesz:], size)
		}
	}
	end := align(at, int64(l.word))
	l.put(order, header[l.phoff:], int64(l.header))
	l.put(order, header[l.shoff:], end)

	out := &padded{w: w}
	out.write(header)
	out.write(programs)
	for _, i := range kept {
		out.pad(offsets[i])
		out.copy(io.NewSectionReader(raw, int64(f.Sections[i].Offset), int64(f.Sections[i].FileSize)))
	}
	out.pad(end)
	out.write(sections)
	return out.err
}

// maxNotes limits the offset of notes that keep their place: linkers put them into the first
// page.
const maxNotes = 64 << 10

func align(n, to int64) int64 {
	if to <= 1 {
		return n
	}
	return (n + to - 1) / to * to
}

// padded counts what it writes, and keeps the first error.
type padded struct {
	w   io.Writer
	n   int64
	err error
}

func (p *padded) write(b []byte) {
	if p.err == nil {
		var n int
		n, p.err = p.w.Write(b)
		p.n += int64(n)
	}
}

func (p *padded) copy(r *io.SectionReader) {
	if p.err == nil {
		var n int64
		if n, p.err = io.Copy(p.w, r); p.err == nil && n != r.Size() {
			p.err = io.ErrUnexpectedEOF
		}
		p.n += n
	}
}

func (p *padded) pad(to int64) { p.write(make([]byte, to-p.n)) }
