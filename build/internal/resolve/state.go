package resolve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxEntries bounds how many files of ignored folders are looked at; above it the
// state is unknown, and asking the go command is quicker.
const maxEntries = 2000

// treeState is a hash of everything in the repository that can change which
// packages and files are compiled: the commit, and beyond it the files that git
// sees as changed, untracked or ignored. Of a Go file only what is above its
// declarations counts, so editing a function does not change the state. skip, an
// absolute path, is thimble's own output. The state is empty where it cannot be
// known. newest is the time of the latest change to one of the files.
func treeState(root, revision string, files []string, skip string) (state string, newest time.Time) {
	h := sha256.New()
	fmt.Fprintln(h, revision)
	left := maxEntries
	for _, name := range files {
		top := filepath.Join(root, filepath.FromSlash(name))
		if strings.HasPrefix(top, skip+string(filepath.Separator)) {
			continue
		}
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if path == skip {
				return filepath.SkipDir
			}
			if left--; left < 0 {
				return errors.New("too many")
			}
			if err != nil && path == top && errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(h, "%q is gone\n", name)
				return nil
			}
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			if info.ModTime().After(newest) {
				newest = info.ModTime()
			}
			addFile(h, path, info)
			return nil
		})
		if err != nil {
			return "", newest
		}
	}
	return hex.EncodeToString(h.Sum(nil)), newest
}

func addFile(h hash.Hash, path string, info fs.FileInfo) {
	if strings.HasSuffix(path, ".go") {
		if header, ok := goHeader(path); ok {
			fmt.Fprintf(h, "%q %x\n", path, sha256.Sum256(header))
			return
		}
	}
	fmt.Fprintf(h, "%q %v %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano())
}

// goHeader is a Go file up to its last import: build constraints, package clause,
// imports. A file with //go:embed or with an error has none, since more of it
// matters.
func goHeader(path string) ([]byte, bool) {
	src, err := os.ReadFile(path)
	if err != nil || bytes.Contains(src, []byte("//go:embed")) {
		return nil, false
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, src, parser.ImportsOnly)
	if err != nil {
		return nil, false
	}
	end := f.Name.End()
	for _, d := range f.Decls {
		end = max(end, d.End())
	}
	return src[:fset.Position(end).Offset], true
}
