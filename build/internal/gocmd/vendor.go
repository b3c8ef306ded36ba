package gocmd

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// vendors says whether the go command uses the vendor folder by default
// (cmd/go/internal/modload.setDefaultBuildMod): if go.mod or go.work has Go 1.14 or later, and
// the folder was made for the same mode.
func vendors(mod, work string) (bool, error) {
	file := mod
	if work != "" {
		file = work
	}
	if file == "" {
		return false, nil
	}
	folder := filepath.Join(filepath.Dir(file), "vendor")
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return false, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return false, fmt.Errorf("read Go's settings: %w", err)
	}
	var said *modfile.Go
	if work != "" {
		if parsed, err := modfile.ParseWork(file, content, nil); err == nil {
			said = parsed.Go
		}
	} else if parsed, err := modfile.ParseLax(file, content, nil); err == nil {
		said = parsed.Go
	}
	if said == nil || version.Compare("go"+said.Version, "go1.14") < 0 {
		return false, nil // the go command reports errors of the file better
	}
	modules, err := os.ReadFile(filepath.Join(folder, "modules.txt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read Go's settings: %w", err)
	}
	line, _, _ := strings.Cut(string(modules), "\n")
	annotations, _ := strings.CutPrefix(line, "## ")
	forWorkspace := annotations != line && slices.Contains(strings.FieldsFunc(annotations,
		func(r rune) bool { return r == ';' || r == ' ' }), "workspace")
	return forWorkspace == (work != ""), nil
}
