package needs

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/thimble-build/thimble/build/plan"
)

// No file makes Scan panic or hang, and every answer is one of three: an error,
// everything with a reason, or needs with evidence.
func FuzzScan(f *testing.F) {
	for _, e := range []tinyELF{
		{names: []string{"os.TempDir", "time/tzdata.init.0", "time.LoadLocation"}},
		{class: elf.ELFCLASS32, order: binary.BigEndian, names: []string{"mime.initMime"}},
		{stripped: true, magic: 0xfffffff0},
		{section: ".data.rel.ro.gopclntab", kind: elf.ET_DYN},
	} {
		file := e.bytes()
		f.Add(file)
		for _, cut := range []int{4, 20, len(file) / 2, len(file) - 1} {
			f.Add(file[:cut])
		}
		for _, at := range []int{4, 5, 16, 0x28, 0x3a, 0x3c, 0x3e, 72, 80, 96, 104, len(file) - 100} {
			mutated := slices.Clone(file)
			mutated[at] ^= 0xff
			f.Add(mutated)
		}
	}
	f.Add([]byte("MZ"))
	f.Add([]byte("\xcf\xfa\xed\xfe"))
	f.Add([]byte("#!/bin/sh"))
	f.Fuzz(func(t *testing.T, file []byte) {
		report, err := scan(file)
		if err != nil {
			if len(report.Needs) != 0 || report.Unknown != "" {
				t.Errorf("an error and a report: %v, %v", report, err)
			}
			return
		}
		if report.Unknown != "" {
			checkEverything(t, report, nil, "")
			return
		}
		for i, n := range report.Needs {
			if len(n.Evidence) == 0 || n.Name != plan.NeedExec && !slices.Contains(plan.Needs, n.Name) {
				t.Errorf("got %v", n)
			}
			if i > 0 && report.Needs[i-1].Name >= n.Name {
				t.Errorf("not sorted: %v", report.Needs)
			}
		}
	})
}

// BenchmarkScan reads a stripped binary of 27 MB, and one whose section headers
// are gone too, which has to be searched.
func BenchmarkScan(b *testing.B) {
	dir := b.TempDir()
	goBuildIn(b, filepath.Join("..", "..", "..", "sample-service"), dir, runtime.GOARCH, "./cmd/sample-service")
	service := filepath.Join(dir, "sample-service")
	content, err := os.ReadFile(service)
	if err != nil {
		b.Fatal(err)
	}
	searched := filepath.Join(dir, "searched")
	if err := os.WriteFile(searched, withoutSections(content), 0o644); err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"sections": service, "search": searched} {
		b.Run(name, func(b *testing.B) {
			file, size := open(b, path)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				report, err := Scan(file, size)
				if err != nil || report.Unknown != "" || len(report.Needs) == 0 {
					b.Fatal(report, err)
				}
			}
		})
	}
}
