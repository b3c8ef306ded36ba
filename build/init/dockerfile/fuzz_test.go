package dockerfile

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/thimble-build/thimble/build/init/dockerfile/syntax"
	"github.com/thimble-build/thimble/build/init/finding"
)

// FuzzRead wants an outcome with a reason for every instruction of any text, and no panic.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	var files finding.Files
	var mains []finding.Main
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if syntax.LooksLike(file.Data) {
				f.Add(string(file.Data))
			}
		}
		if strings.HasSuffix(name, "curl.txtar") {
			files, mains = unpack(archive)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Read("Dockerfile", []byte(text), files, mains, nil)
		if err != nil {
			return
		}
		everyLine(t, text, s)
	})
}
