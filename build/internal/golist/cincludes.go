package golist

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Files that C includes from outside of its module are found by reading text, because calling
// the compiler would be too slow. Every name on a preprocessor line or in .incbin counts if it
// begins with ".." or is absolute, and names a file. In such a file every name counts. Inactive
// lines count too.

// cEndings are the endings of C files that the go command does not know.
var cEndings = []string{".inc", ".def", ".inl", ".ipp", ".tcc", ".tpp", ".mm", ".asm", ".i"}

// quotedName matches a name in quotes or in angle brackets.
var quotedName = regexp.MustCompile(`["<]([^"<>]+)[">]`)

// above returns the files outside of the trees that C files in the trees include, directly or
// indirectly. folders are the compiler's other include folders.
func above(ctx context.Context, files, trees, folders []string) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	var visit func(file string, outside bool) error
	visit = func(file string, outside bool) error {
		names, err := namesIn(ctx, file, outside)
		if err != nil {
			return err
		}
		for _, name := range names {
			for _, dir := range append([]string{filepath.Dir(file)}, folders...) {
				path := name
				if !filepath.IsAbs(name) {
					path = filepath.Join(dir, name)
				}
				if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || seen[path] ||
					slices.ContainsFunc(trees, func(t string) bool { return within(t, path) }) {
					continue
				}
				seen[path] = true
				all = append(all, path)
				if err := visit(path, true); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, file := range files {
		if ext := filepath.Ext(file); slices.Contains(sourceEndings, ext) || slices.Contains(cEndings, ext) {
			if err := visit(file, false); err != nil {
				return nil, fmt.Errorf("find the files that C includes: %w", err)
			}
		}
	}
	return all, nil
}

func within(dir, file string) bool {
	rel, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsLocal(rel)
}

// namesIn returns the names in a file that lead up or are absolute, or all names.
func namesIn(ctx context.Context, file string, all bool) ([]string, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content, err := readFile(ctx, file)
	if err != nil {
		return nil, err
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, len(content)+1)
	for lines.Scan() {
		line := lines.Bytes()
		if !bytes.ContainsAny(line, "#") && !bytes.Contains(line, []byte("incbin")) {
			continue
		}
		for _, m := range quotedName.FindAllSubmatch(line, -1) {
			name := filepath.FromSlash(string(m[1]))
			if all || filepath.IsAbs(name) ||
				slices.Contains(strings.Split(filepath.ToSlash(name), "/"), "..") {
				names = append(names, name)
			}
		}
	}
	return names, lines.Err()
}

// readFile is os.ReadFile, until the context ends.
func readFile(ctx context.Context, file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	content.Grow(int(min(info.Size(), 1<<20)) + bytes.MinRead)
	if _, err := content.ReadFrom(limit.Reader(ctx, f)); err != nil {
		return nil, &fs.PathError{Op: "read", Path: file, Err: err}
	}
	return content.Bytes(), nil
}

// flagPath matches a path in a flag of the C compiler or its linker.
var flagPath = regexp.MustCompile(`^(?:-[ILFBT]|-i[a-z]+=?|-Wl,[^=,]*[=,]|--?[a-z-]+=)?(.+)$`)

// cFolders returns the absolute paths of folders and files in a package's #cgo lines. It
// ignores clean absolute paths outside of the repository: they belong to the machine, like the
// compiler.
func (t Tree) cFolders(p *listed) (folders, files []string) {
	for _, word := range slices.Concat(p.CgoCPPFLAGS, p.CgoCFLAGS, p.CgoCXXFLAGS, p.CgoFFLAGS, p.CgoLDFLAGS) {
		name := flagPath.FindStringSubmatch(word)[1]
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.Dir, path)
		}
		info, err := os.Stat(path)
		path = filepath.Clean(path)
		_, ours := t.InRepository(path)
		machines := filepath.IsAbs(name) && !strings.Contains(filepath.ToSlash(name)+"/", "/../")
		switch {
		case err != nil, machines && !ours:
		case info.IsDir() && ours:
			folders = append(folders, path)
		default: // a folder outside of the repository: its content is not read
			files = append(files, path)
		}
	}
	return folders, files
}
