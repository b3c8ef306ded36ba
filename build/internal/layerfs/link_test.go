package layerfs

import (
	"archive/tar"
	"debug/elf"
	"testing"
)

// Alpine's C library looks in folders of its own, which /etc/ld-musl-*.path replaces, and
// knows nothing of glibc's.
func TestLinkMusl(t *testing.T) {
	library := func(path string) Entry {
		return Entry{Path: path, Type: tar.TypeReg, ELF: &ELF{Machine: elf.EM_X86_64, Class: elf.ELFCLASS64}}
	}
	const loader = "/lib/ld-musl-x86_64.so.1"
	musl := Layer{library(loader), {Path: "/lib/libc.musl-x86_64.so.1", Type: tar.TypeSymlink, Link: "ld-musl-x86_64.so.1"}}
	program := func(needed ...string) Program {
		return Program{Path: "/app/x", ELF: &ELF{Machine: elf.EM_X86_64, Class: elf.ELFCLASS64, Interp: loader, Needed: needed}}
	}
	glibc := program("libc.so.6")
	glibc.Interp = "/lib64/ld-linux-x86-64.so.2"
	for name, test := range map[string]struct {
		layer   Layer
		program Program
		want    string
	}{
		"its own":        {musl, program("libc.musl-x86_64.so.1"), ""},
		"/usr/local/lib": {append(musl, library("/usr/local/lib/libx.so")), program("libx.so"), ""},
		"multiarch":      {append(musl, library("/usr/lib/x86_64-linux-gnu/libx.so")), program("libx.so"), "/app/x needs libx.so, but there is none"},
		"path file": {append(musl, library("/opt/libx.so"), Entry{Path: "/etc/ld-musl-x86_64.path", Type: tar.TypeReg, Content: []byte("/lib\n/opt:/x\n")}),
			program("libx.so"), ""},
		"replaced by it": {append(musl, library("/usr/lib/libx.so"), Entry{Path: "/etc/ld-musl-x86_64.path", Type: tar.TypeReg, Content: []byte("/lib")}),
			program("libx.so"), "/app/x needs libx.so, but there is none"},
		"glibc's program": {musl, glibc, "/app/x needs /lib64/ld-linux-x86-64.so.2, but there is none"},
	} {
		_, err := stacked(test.layer).Link(test.program)
		if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	below := stacked(musl, Layer{library("/usr/lib/libx.so")})
	above := aboveOf(below, Layer{{Path: "/usr/lib/.wh.libx.so", Type: tar.TypeReg}})
	if _, err := above.Link(program("libx.so")); err == nil {
		t.Error("a library that a layer removes is still found")
	}
	if _, err := below.Link(program("libx.so")); err != nil {
		t.Errorf("the layers below have changed: %v", err)
	}
}
