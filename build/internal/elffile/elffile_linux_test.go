package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// An executable whose headers claim more than a linker writes is refused.
func TestELFHeaders(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	order := binary.LittleEndian
	if elf.Class(self[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(self[elf.EI_DATA]) != elf.ELFDATA2LSB {
		t.Skip("this test changes headers of 64 bits in little endian")
	}
	names := order.Uint64(self[40:]) + uint64(order.Uint16(self[62:]))*uint64(order.Uint16(self[58:]))
	for what, test := range map[string]struct {
		change func(b []byte)
		large  bool
	}{
		"nothing":                       {func([]byte) {}, false},
		"many sections":                 {func(b []byte) { order.PutUint16(b[60:], maxSections+1) }, true},
		"a number in the first section": {func(b []byte) { order.PutUint16(b[60:], 0) }, true},
		"compressed names":              {func(b []byte) { order.PutUint64(b[names+8:], uint64(elf.SHF_COMPRESSED)) }, true},
		"large names":                   {func(b []byte) { order.PutUint64(b[names+32:], maxSectionNames+1) }, true},
		"names of a negative size":      {func(b []byte) { order.PutUint64(b[names+32:], 1<<63) }, true},
		"no sections":                   {func(b []byte) { clear(b[40:48]); clear(b[60:64]) }, false},
	} {
		b := bytes.Clone(self)
		test.change(b)
		if _, err := New(bytes.NewReader(b)); errors.Is(err, limit.ErrTooLarge) != test.large || !test.large && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("text"), self[:60], self[:20]} {
		if _, err := New(bytes.NewReader(b)); err == nil {
			t.Errorf("%d bytes are an executable", len(b))
		}
	}
}
