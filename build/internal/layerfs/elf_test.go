package layerfs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// library is an ELF file of one segment with a dynamic table and strings.
func dynamicLibrary(table []elf.Dyn64, text string, more ...func(*elf.Header64)) []byte {
	const start = 64 + 2*56
	tableSize := uint64(16 * (len(table) + 3))
	table = append(table,
		elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: start + tableSize}, elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(len(text))}, elf.Dyn64{})
	size := start + tableSize + uint64(len(text))
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	for _, change := range more {
		change(&h)
	}
	var b bytes.Buffer
	for _, part := range []any{h,
		elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: size, Memsz: size},
		elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: start, Vaddr: start, Filesz: tableSize, Memsz: tableSize},
		table} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	b.WriteString(text)
	return b.Bytes()
}

func entries(n int, tag elf.DynTag, value func(int) uint64) (table []elf.Dyn64) {
	for i := range n {
		table = append(table, elf.Dyn64{Tag: int64(tag), Val: value(i)})
	}
	return table
}

// A library of some KiB cannot make us take hundreds of MiB.
func TestELFBombs(t *testing.T) {
	one := func(int) uint64 { return 1 }
	good, err := ReadELF(bytes.NewReader(dynamicLibrary(entries(1, elf.DT_NEEDED, one), "\x00libx.so\x00")))
	if err != nil || len(good.Needed) != 1 || good.Needed[0] != "libx.so" {
		t.Fatalf("a good one is %+v, %v", good, err)
	}
	sections := func(h *elf.Header64) { h.Shoff, h.Shnum, h.Shstrndx = 64, 0xffff, 1 }
	if info, err := ReadELF(bytes.NewReader(dynamicLibrary(nil, "\x00", sections))); err != nil || len(info.Needed) > 0 {
		t.Errorf("section headers are looked at: %+v, %v", info, err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"one long string, many times": {dynamicLibrary(entries(4000, elf.DT_NEEDED, one), "\x00"+strings.Repeat("a", 4000)+"\x00"), "too long strings, or too many"},
		"a string of some MiB":        {dynamicLibrary(entries(1, elf.DT_NEEDED, one), "\x00"+strings.Repeat("a", 4<<20)+"\x00"), "too long strings, or too many"},
		"no end of a string":          {dynamicLibrary(entries(1, elf.DT_NEEDED, one), "\x00abc"), "too long strings, or too many"},
		"a string behind the table":   {dynamicLibrary(entries(1, elf.DT_SONAME, func(int) uint64 { return 1 << 63 }), "\x00abc\x00"), "does not exist"},
		"versions without end": {dynamicLibrary([]elf.Dyn64{
			{Tag: int64(elf.DT_VERNEED), Val: 0}, {Tag: int64(elf.DT_VERNEEDNUM), Val: 1 << 60}, {Tag: int64(elf.DT_VERDEF), Val: 0}, {Tag: int64(elf.DT_VERDEFNUM), Val: 1 << 60},
		}, "\x00"), ""},
		"versions nowhere": {dynamicLibrary([]elf.Dyn64{{Tag: int64(elf.DT_VERDEF), Val: 1 << 40}, {Tag: int64(elf.DT_VERDEFNUM), Val: 1}}, "\x00"), "points to nothing"},
		"many segments":    {dynamicLibrary(nil, "\x00", func(h *elf.Header64) { h.Phnum = 0xffff }), ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		info, err := ReadELF(bytes.NewReader(c.file))
		runtime.ReadMemStats(&after)
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %+v, %v, want %q", name, info, err, c.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
			t.Errorf("%s takes %d MiB", name, used>>20)
		}
	}
}
