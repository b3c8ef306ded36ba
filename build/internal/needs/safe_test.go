package needs

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

func scan(b []byte) (Report, error) { return Scan(bytes.NewReader(b), int64(len(b))) }

func TestTinyELF(t *testing.T) {
	tmp := []string{"os.TempDir"}
	for _, e := range []tinyELF{
		{names: tmp},
		{names: tmp, magic: 0xfffffff0},
		{names: tmp, kind: elf.ET_DYN},
		{names: tmp, section: ".data.rel.ro.gopclntab"},
		{names: tmp, class: elf.ELFCLASS32},
		{names: tmp, class: elf.ELFCLASS32, order: binary.BigEndian},
		{names: tmp, order: binary.BigEndian},
		{names: tmp, stripped: true},
		{names: tmp, stripped: true, class: elf.ELFCLASS32, order: binary.BigEndian},
		{names: tmp, filler: 10_000},
		{names: append(tmp, strings.Repeat("x", 3*bufferSize)+".os.MkdirTemp")},
	} {
		report, err := scan(e.bytes())
		if err != nil {
			t.Fatal(err)
		}
		checkNeeds(t, report, []string{plan.NeedTmp}, nil)
	}
}

// Names that a piece of the file cuts in two are read whole, wherever the cut is.
func TestNamesAcrossPieces(t *testing.T) {
	var names bytes.Buffer
	for names.Len() < 200 {
		names.WriteString("os.TempDir\x00example.com/long.Name\x00time.LoadLocation\x00")
	}
	all := extent{0, int64(names.Len())}
	want := strings.Split(strings.TrimSuffix(names.String(), "\x00"), "\x00")
	for size := longestName + 2; size < names.Len(); size++ {
		var got []string
		err := eachName(bytes.NewReader(names.Bytes()), all, make([]byte, size), func(name []byte) { got = append(got, string(name)) })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("with %d bytes at once: %q, %v", size, got, err)
		}
	}
}

// A table whose header a piece of the file cuts in two is found all the same.
func TestSearchAcrossPieces(t *testing.T) {
	table := tinyELF{order: binary.LittleEndian, names: []string{"os.TempDir"}}.table()
	for gap := range 2 * maxHeader {
		at := int64(bufferSize - 2*maxHeader + gap*4)
		file := append(make([]byte, at), table...)
		names, unknown, err := searchNames(binary.LittleEndian, bytes.NewReader(file), int64(len(file)), make([]byte, bufferSize))
		if err != nil || unknown != "" || names.offset != at+maxHeader {
			t.Fatalf("table at %d: %v %q %v", at, names, unknown, err)
		}
	}
}

// Real binaries whose section headers were stripped, as sstrip does.
func TestScanWithoutSectionHeaders(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(built(t), "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := scan(withoutSections(file))
	if err != nil {
		t.Fatal(err)
	}
	checkNeeds(t, report, []string{plan.NeedTmp}, nil)

	aligned := append(file, make([]byte, -len(file)&7)...)
	report, err = scan(withoutSections(append(aligned, file...)))
	checkEverything(t, report, err, "several Go function tables")
}

func withoutSections(file []byte) []byte {
	file = slices.Clone(file)
	clear(file[0x28:0x30]) // e_shoff
	clear(file[0x3c:0x40]) // e_shnum and e_shstrndx
	return file
}

func TestUnknownGetsEverything(t *testing.T) {
	hello, err := os.ReadFile(filepath.Join(built(t), "hello"))
	if err != nil {
		t.Fatal(err)
	}
	replace := func(pairs ...string) []byte {
		file := hello
		for i := 0; i < len(pairs); i += 2 {
			file = bytes.ReplaceAll(file, []byte("\x00"+pairs[i]+"\x00"), []byte("\x00"+pairs[i+1]+"\x00"))
		}
		return file
	}
	magic := binary.NativeEndian.AppendUint32(nil, 0xfffffff1)
	for _, c := range []struct {
		name string
		file []byte
		why  string
	}{
		{"names changed, as garble does", replace("errors.New", "errors.q8z", "os.NewFile", "os.bQ2eXyz"), "obfuscated"},
		{"names of the runtime changed", replace("runtime.main", "runtime.qz8_"), "obfuscated"},
		{"names of main changed", replace("main.main", "main.qz8_"), "obfuscated"},
		{"magic changed, as garble does", bytes.Replace(hello, append(magic, 0, 0), []byte{0x8e, 0x41, 0x0a, 0xa7, 0, 0}, -1), "unknown form"},
		{"another toolchain's table", tinyELF{magic: 0xfffffffa}.bytes(), "unknown form"},
		{"no Go", replaceMagic(tinyELF{section: ".rodata"}), "no Go function table"},
		{"packed", replaceMagic(tinyELF{stripped: true}), "no Go function table"},
		{"Mach-O", []byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01"), "Mach-O"},
		{"Mach-O of two machines", []byte("\xca\xfe\xba\xbe\x00\x00\x00\x02"), "Mach-O"},
		{"PE", []byte("MZ\x90\x00\x03"), "PE"},
		{"WebAssembly", []byte("\x00asm\x01\x00\x00\x00"), "WebAssembly"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := scan(c.file)
			checkEverything(t, report, err, c.why)
		})
	}
}

// A runtime with functions that nobody has heard of hides nothing: Go 1.27 brought
// _.goready.func1.
func TestUnknownFunctionsOfTheRuntime(t *testing.T) {
	bare, err := os.ReadFile(filepath.Join(built(t), "bare"))
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"runtime.gopanic", "_.gopanic.func1"}, {"runtime.newproc", "weakref.newproc"}} {
		if bare = bytes.ReplaceAll(bare, []byte("\x00"+change[0]+"\x00"), []byte("\x00"+change[1]+"\x00")); !bytes.Contains(bare, []byte(change[1])) {
			t.Fatalf("there is no %s to rename", change[0])
		}
	}
	report, err := scan(bare)
	if err != nil {
		t.Fatal(err)
	}
	checkNeeds(t, report, nil, nil)
}

func replaceMagic(e tinyELF) []byte {
	return bytes.Replace(e.bytes(), []byte{0xf1, 0xff, 0xff, 0xff}, []byte{1, 2, 3, 4}, 1)
}

// A header may say anything; it is believed only if it is consistent.
func TestHeaderThatLies(t *testing.T) {
	good := tinyELF{order: binary.LittleEndian}.table()
	all := extent{0, int64(len(good))}
	if _, ok := parseHeader(binary.LittleEndian, good, all); !ok {
		t.Fatal("a good header is refused")
	}
	put := func(at int, v uint64) []byte {
		b := slices.Clone(good)
		binary.LittleEndian.PutUint64(b[at:], v)
		return b
	}
	set := func(at int, v byte) []byte {
		b := slices.Clone(good)
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty":                        nil,
		"cut off":                      good[:maxHeader-1],
		"no padding":                   set(4, 1),
		"instructions of three bytes":  set(6, 3),
		"pointers of two bytes":        set(7, 2),
		"no functions":                 put(8, 0),
		"names inside the header":      put(8+3*8, 8),
		"names beyond the file":        put(8+3*8, 1<<40),
		"negative":                     put(8+3*8, 1<<63),
		"names that end before":        put(8+4*8, maxHeader-1),
		"functions beyond the table":   put(8+7*8, uint64(len(good)+1)),
		"functions beyond all numbers": put(8+7*8, 1<<64-1),
	} {
		if _, ok := parseHeader(binary.LittleEndian, b, all); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestScanErrors(t *testing.T) {
	zoneinfo, err := os.ReadFile(filepath.Join(built(t), "zoneinfo"))
	if err != nil {
		t.Fatal(err)
	}
	tiny := tinyELF{}.bytes()
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "not an executable"},
		{"a script", []byte("#!/bin/sh\n"), `not an executable: begins with "#!/b"`},
		{"an object file", tinyELF{kind: elf.ET_REL}.bytes(), "not an executable: the type is ET_REL"},
		{"a core dump", tinyELF{kind: elf.ET_CORE}.bytes(), "not an executable: the type is ET_CORE"},
		{"only the magic", tiny[:4], "read ELF headers"},
		{"half a header", tiny[:40], "read ELF headers"},
		{"no sections left", tiny[:len(tiny)-64], "read ELF headers"},
		{"a real one cut off", zoneinfo[:len(zoneinfo)/2], "truncated"},
	} {
		report, err := scan(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, %v, want an error with %q", c.name, report, err, c.want)
		}
	}
}

// An error of the reader comes back, wherever it happens.
func TestScanReadErrors(t *testing.T) {
	for _, e := range []tinyELF{{filler: 10_000}, {filler: 10_000, stripped: true}} {
		file := e.bytes()
		for reads := 0; ; reads++ {
			r := &failing{ReaderAt: bytes.NewReader(file), reads: reads}
			_, err := Scan(r, int64(len(file)))
			if err == nil {
				if reads < 4 {
					t.Errorf("only %d reads", reads)
				}
				break
			}
			if !errors.Is(err, errDisk) {
				t.Errorf("failing at read %d: %v", reads, err)
			}
		}
	}
}

var errDisk = errors.New("disk on fire")

// failing fails after a number of reads.
type failing struct {
	io.ReaderAt
	reads int
}

func (f *failing) ReadAt(p []byte, off int64) (int, error) {
	if f.reads--; f.reads < 0 {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

func checkEverything(t *testing.T, report Report, err error, why string) {
	t.Helper()
	if err != nil || report.Unknown == "" || !strings.Contains(report.Unknown, why) {
		t.Fatalf("got %q, %v, want %q", report.Unknown, err, why)
	}
	var names []string
	for _, n := range report.Needs {
		names = append(names, n.Name)
		if n.Embedded || !slices.Equal(n.Evidence, []string{report.Unknown}) {
			t.Errorf("got %v", n)
		}
	}
	want := append(slices.Clone(plan.Needs), plan.NeedExec)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
