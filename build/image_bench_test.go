package build_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thimble-build/thimble/build"
	"github.com/thimble-build/thimble/build/plan"
)

// BenchmarkImage makes the image of sample-service again, after a one-line edit or with
// nothing changed.
func BenchmarkImage(b *testing.B) {
	repo := sampleService(b)
	o := settings{SkipTests: true, Options: build.Options{Workdir: repo, Cache: filepath.Join(b.TempDir(), "cache"), Env: environment()}}
	edits := 0
	edit := func() {
		edits++
		text := fmt.Sprintf("package main\n\nfunc init() { println(\"%d-%d\") }\n", time.Now().UnixNano(), edits)
		if err := os.WriteFile(filepath.Join(repo, "cmd", "sample-service", "edit.go"), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		kind plan.Compression
		edit func()
	}{
		{"unchanged", plan.Gzip, func() {}},
		{"edit/gzip", plan.Gzip, edit},
		{"edit/zstd", plan.Zstd, edit},
	} {
		b.Run(c.name, func(b *testing.B) {
			o.Config.Compression = c.kind
			image := func() {
				if _, err := build.Image(b.Context(), o.image()); err != nil {
					b.Fatal(err)
				}
			}
			image()
			b.ReportAllocs()
			for b.Loop() {
				c.edit()
				image()
			}
		})
	}
}
