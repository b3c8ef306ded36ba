package golist

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Seen records what a list of sources depends on: the names in the folders of the packages, and the
// content of their files. While it stays the same, the go command's list stays the same.
type Seen struct {
	// Names is a hash of the names.
	Names string
	// Content are the hashes of the files by absolute path.
	Content map[string]string
	// Headers are the hashes of Go files up to their last import: the rest does not affect the
	// list. A file with //go:embed has none.
	Headers map[string]string
}

// Same reports whether the list of c, which depends on s, is still valid. It reads every file,
// and does not use git.
func (s Seen) Same(ctx context.Context, c Compiled) (bool, error) {
	now, err := c.names(ctx)
	if err != nil || now.hash != s.Names || len(now.files) != len(s.Content) {
		return false, err
	}
	content, err := hashAll(ctx, now.files, false)
	if err != nil {
		return false, err
	}
	for _, file := range now.files {
		if before, ok := s.Content[file]; ok && before == content[file] {
			continue
		}
		if header := s.Headers[file]; header == "" || header != hashHeader(ctx, file) {
			return false, nil
		}
	}
	return true, nil
}

// SameNames reports whether the names that the list of c depends on are still the same: whether no
// file was added or removed.
func (s Seen) SameNames(ctx context.Context, c Compiled) (bool, error) {
	now, err := c.names(ctx)
	return err == nil && now.hash == s.Names, err
}

// DependsOn returns the absolute paths of everything that the list depends on: files whose content
// or whose name matters.
func (c Compiled) DependsOn(ctx context.Context) ([]string, error) {
	now, err := c.names(ctx)
	return slices.Concat(now.files, now.others), err
}

// See reads everything that the list depends on.
func (c Compiled) See(ctx context.Context) (Seen, error) {
	var s Seen
	now, err := c.names(ctx)
	if err != nil {
		return s, err
	}
	s.Names = now.hash
	if s.Content, err = hashAll(ctx, now.files, false); err != nil {
		return s, err
	}
	s.Headers, err = hashAll(ctx, slices.DeleteFunc(slices.Clone(now.files),
		func(f string) bool { return path.Ext(f) != ".go" }), true)
	return s, err
}

// names are what a list depends on, now.
type names struct {
	// hash is that of the names in the folders and of the names that may be embedded, in hex.
	hash string
	// files are those whose content matters, others those of which only the name matters.
	files, others []string
}

// names looks at what the list depends on.
func (c Compiled) names(ctx context.Context) (now names, err error) {
	h := sha256.New()
	now.files = slices.Concat(c.Modules, c.Included)
	for _, folder := range c.Folders {
		fmt.Fprintf(h, "%q %q\n", folder.Dir, folder.Patterns)
		entries, err := os.ReadDir(folder.Dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return now, fmt.Errorf("read the sources: %w", err)
		}
		for _, e := range entries {
			ext := path.Ext(e.Name())
			if !e.IsDir() && (slices.Contains(sourceEndings, ext) || ext == ".syso") &&
				!strings.HasSuffix(e.Name(), "_test.go") {
				fmt.Fprintf(h, "%q\n", e.Name())
				if file := filepath.Join(folder.Dir, e.Name()); ext != ".syso" {
					now.files = append(now.files, file)
				} else {
					now.others = append(now.others, file)
				}
			}
			embedded, err := embeddable(ctx, h, folder, e)
			if err != nil {
				return now, err
			}
			now.others = append(now.others, embedded...)
		}
	}
	slices.Sort(now.files)
	now.hash, now.files = hex.EncodeToString(h.Sum(nil)), slices.Compact(now.files)
	return now, nil
}

// embeddable returns the names below one entry of a package's folder that a pattern may match, and
// writes them to w.
func embeddable(ctx context.Context, w io.Writer, folder Folder, e fs.DirEntry) (found []string, err error) {
	matches := func(pattern string) bool {
		first, _, _ := strings.Cut(strings.TrimPrefix(pattern, "all:"), "/")
		ok, err := path.Match(first, e.Name())
		return ok || err != nil || first == "."
	}
	if !slices.ContainsFunc(folder.Patterns, matches) {
		return nil, nil
	}
	err = filepath.WalkDir(filepath.Join(folder.Dir, e.Name()),
		func(name string, d fs.DirEntry, err error) error {
			if err == nil {
				_, err = fmt.Fprintf(w, "%q %s\n", name, d.Type())
				found = append(found, name)
			}
			return cmp.Or(err, context.Cause(ctx))
		})
	if err != nil {
		return nil, fmt.Errorf("find the embedded files: %w", err)
	}
	return found, nil
}

// hashAll hashes files, or their headers, by path. The hash of a missing file is "".
func hashAll(ctx context.Context, files []string, headers bool) (map[string]string, error) {
	hashes := make(map[string]string, len(files))
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		g.Go(func() error {
			for i := worker; i < len(files); i += workers {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				hash := ""
				if headers {
					hash = hashHeader(ctx, files[i])
				} else if content, err := readFile(ctx, files[i]); err == nil {
					hash = fmt.Sprintf("%x", sha256.Sum256(content))
				} else if !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("read the sources: %w", err)
				}
				mu.Lock()
				hashes[files[i]] = hash
				mu.Unlock()
			}
			return nil
		})
	}
	return hashes, g.Wait()
}

// hashHeader returns the hash of a Go file up to its last import: build constraints, package
// clause, imports. It returns "" for a file with //go:embed or with an error, because then more
// of it matters.
func hashHeader(ctx context.Context, file string) string {
	src, err := readFile(ctx, file)
	if err != nil || bytes.Contains(src, []byte("//go:embed")) {
		return ""
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, parser.ImportsOnly)
	if err != nil {
		return ""
	}
	end := f.Name.End()
	for _, d := range f.Decls {
		end = max(end, d.End())
	}
	return fmt.Sprintf("%x", sha256.Sum256(src[:fset.Position(end).Offset]))
}
