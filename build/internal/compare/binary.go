package compare

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/thimble-build/thimble/build/internal/elffile"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/report"
)

// binaryFiles compares two executable files.
func (p *pair) binaryFiles(ctx context.Context, x, y func() (*os.File, error)) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	a, err := x()
	if err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	defer a.Close() // only read
	b, err := y()
	if err != nil {
		return fmt.Errorf("read the binary: %w", err)
	}
	defer b.Close() // only read
	return p.contents(ctx, a, b, "the binary", "binary")
}

// contents compares two files of one name with different contents: executables by their build
// info and their sections, text by lines, other files by bytes.
func (p *pair) contents(ctx context.Context, a, b *os.File, name, layer string) error {
	x, errX := elffile.New(a)
	y, errY := elffile.New(b)
	if errX == nil && errY == nil {
		info, err := p.buildInfo(a, b)
		if err != nil {
			return err
		}
		size, err := larger(a, b)
		if err != nil {
			return err
		}
		return p.sections(ctx, x, y, sectionBytes(size), name, info)
	}
	l, err := firstLine(seeker{limit.Reader(ctx, a), a}, seeker{limit.Reader(ctx, b), b})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	kind := report.CauseSource
	if layer != "binary" && layer != "assets" {
		kind = report.CauseBase
	}
	p.differ(report.DepthFile, name, l.where(), l.a, l.b)
	if when, ok := times(l.a, l.b); ok {
		p.cause(report.CauseTime, "%s contains a time: %s", name, when)
		return nil
	}
	p.cause(kind, "%s has different content", name)
	return nil
}

// linkerNotes are sections with the linker's hash of all other sections: they always differ, and
// explain nothing.
var linkerNotes = map[string]bool{".note.go.buildid": true, ".note.gnu.build-id": true}

// sections records the first section of two executables that differs. explained says that the
// build info differs, which explains the difference in code. left is how many bytes are compared.
func (p *pair) sections(ctx context.Context, a, b *elf.File, left uint64, name string, explained bool) error {
	others := map[string]*elf.Section{}
	for _, s := range b.Sections {
		others[s.Name] = s
	}
	noted := false
	for _, notes := range []bool{false, true} { // the linker's notes only if nothing else differs
		for _, s := range a.Sections {
			if s.Type == elf.SHT_NULL || linkerNotes[s.Name] != notes || notes && noted {
				continue
			}
			var size uint64
			if t := others[s.Name]; t != nil && s.Type != elf.SHT_NOBITS && t.Type != elf.SHT_NOBITS {
				size = max(s.Size, t.Size)
			}
			if size > left {
				return fmt.Errorf("read section %s of %s: the sections: %w", s.Name, name, limit.ErrTooLarge)
			}
			left -= size // sections may overlap
			d, err := section(ctx, s, others[s.Name])
			if err != nil {
				return fmt.Errorf("read section %s of %s: %w", s.Name, name, err)
			}
			if d.What != "" && !noted {
				p.differ(report.DepthSection, d.Where, d.What, d.A, d.B)
				noted = true
			}
		}
	}
	if explained {
		return nil
	}
	x, err := timesIn(ctx, a)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	y, err := timesIn(ctx, b)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	mine, theirs := onlyIn(x, y), onlyIn(y, x)
	switch {
	case mine != "" && theirs != "":
		p.cause(report.CauseTime, "a time was compiled into %s: %s / %s", name, mine, theirs)
	case noted:
		p.cause(report.CauseSource,
			"the build info of both binaries is the same but their code differs, so different source was "+
				"compiled; check generated code first")
	default:
		p.cause(report.CauseSource, "%s differs outside of its sections", name)
	}
	return nil
}

// The limits for the search for times: the bytes of a section and of all sections, and the times in
// a section.
const (
	maxSection  = 64 << 20
	maxSearched = 1 << 30
	maxTimes    = 10_000
)

// timesIn returns the times in an executable's data, as text. The linker sorts texts by length
// and content, so a different text is at another offset.
func timesIn(ctx context.Context, f *elf.File) (map[string]bool, error) {
	found := map[string]bool{}
	left := uint64(maxSearched)
	for _, s := range f.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&(elf.SHF_EXECINSTR|elf.SHF_COMPRESSED) != 0 ||
			s.Flags&elf.SHF_ALLOC == 0 || s.FileSize > min(maxSection, left) {
			continue
		}
		left -= s.FileSize
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		data, err := s.Data()
		if err != nil {
			return nil, err
		}
		for _, t := range clock.FindAll(data, maxTimes) {
			found[string(t)] = true
		}
	}
	return found, nil
}

// onlyIn returns the first time of one set that the other lacks.
func onlyIn(a, b map[string]bool) string {
	for _, t := range slices.Sorted(maps.Keys(a)) {
		if !b[t] {
			return t
		}
	}
	return ""
}

// section returns the first byte in which two sections of a name differ, with the text around it.
// An empty What means no difference.
func section(ctx context.Context, s, t *elf.Section) (d Difference, err error) {
	d.Where = s.Name
	if t == nil {
		d.What, d.A = "size", fmt.Sprintf("%d bytes", s.FileSize)
		return d, nil
	}
	if s.Type == elf.SHT_NOBITS || t.Type == elf.SHT_NOBITS {
		if s.Size != t.Size || s.Type != t.Type {
			d.What, d.A, d.B = "size", fmt.Sprintf("%d bytes", s.Size), fmt.Sprintf("%d bytes", t.Size)
		}
		return d, nil
	}
	content := func(s *elf.Section) io.Reader {
		return limit.Bytes(limit.Reader(ctx, s.Open()),
			int64(s.Size))
	}
	at, err := firstByte(content(s), content(t))
	if err != nil || at < 0 {
		return d, err
	}
	x, err := around(s, at)
	if err != nil {
		return d, err
	}
	y, err := around(t, at)
	if err != nil {
		return d, err
	}
	d.What = fmt.Sprintf("byte %#x", at)
	if s.FileSize != t.FileSize {
		d.What = fmt.Sprintf("%d / %d bytes, byte %#x", s.FileSize, t.FileSize, at)
	}
	d.A, d.B = readable(x), readable(y)
	return d, nil
}

// firstByte returns the offset of the first byte in which two readers differ; -1 if they are
// equal.
func firstByte(a, b io.Reader) (int64, error) {
	x, y := bufio.NewReaderSize(a, 64<<10), bufio.NewReaderSize(b, 64<<10)
	for at := int64(0); ; at++ {
		c, errX := x.ReadByte()
		d, errY := y.ReadByte()
		for _, err := range []error{errX, errY} {
			if err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
		}
		switch {
		case errX != nil && errY != nil:
			return -1, nil
		case errX != nil || errY != nil || c != d:
			return at, nil
		}
	}
}

// around returns the bytes around an offset, enough for a time that includes it.
func around(s *elf.Section, at int64) ([]byte, error) {
	from := max(0, at-32)
	if size := int64(s.FileSize); from >= size {
		return nil, nil
	} else if s.Flags&elf.SHF_COMPRESSED != 0 {
		return nil, nil
	}
	b := make([]byte, 72)
	n, err := s.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

// readable returns the bytes as text if most of them are text, otherwise in hexadecimal.
func readable(b []byte) string {
	text := 0
	for _, c := range b {
		if c >= 0x20 && c < 0x7f {
			text++
		}
	}
	if text*4 >= len(b)*3 {
		return short(string(b))
	}
	if len(b) > 48 {
		b = b[24:48]
	}
	return fmt.Sprintf("% x", b)
}
