package golist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/scanner"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// included returns the files that Go's assembler includes, directly or indirectly. They can
// have any name, in any folder. Some may not exist, because the assembler also looks in GOROOT.
func included(ctx context.Context, assembly []string) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	var visit func(dir, file string) error
	visit = func(dir, file string) error {
		if seen[file] {
			return nil
		}
		seen[file] = true
		names, err := includes(ctx, file)
		if err != nil {
			return err
		}
		for _, name := range names {
			if name = filepath.FromSlash(name); !filepath.IsAbs(name) {
				name = dir + string(filepath.Separator) + name
			}
			clean := filepath.Clean(name)
			all = append(all, clean)
			// The assembler first uses the unchanged name, in which ".." may follow a symlink.
			if is, err := os.Stat(name); err == nil {
				if other, err := os.Stat(clean); err != nil || !os.SameFile(is, other) {
					physical, err := filepath.EvalSymlinks(name)
					if err != nil {
						return fmt.Errorf("find the files that assembly includes: %w", err)
					}
					all = append(all, physical)
				}
			}
			if err := visit(dir, name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, file := range assembly {
		if err := visit(filepath.Dir(file), file); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// assembly returns the files of a package for Go's assembler.
func (p *listed) assembly() (files []string) {
	for _, f := range p.SFiles {
		files = append(files, filepath.Join(p.Dir, f))
	}
	return files
}

// hasHeader reports whether a file is one of the package's headers.
func (p *listed) hasHeader(file string) bool {
	return filepath.Dir(file) == p.Dir && slices.Contains(p.HFiles, filepath.Base(file))
}

// includes returns the names after each #include of an assembly file, also in inactive parts.
func includes(ctx context.Context, file string) ([]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the files that assembly includes: %w", err)
	}
	defer f.Close() // only read from
	var s scanner.Scanner
	s.Init(limit.Reader(ctx, f))
	s.Error = func(*scanner.Scanner, string) {} // the assembler reports errors
	s.Mode = scanner.ScanChars | scanner.ScanFloats | scanner.ScanIdents | scanner.ScanInts |
		scanner.ScanStrings | scanner.ScanComments | scanner.SkipComments
	var names []string
	var before [2]string
	for token := s.Scan(); token != scanner.EOF; token = s.Scan() {
		text := s.TokenText()
		if token == scanner.String && before == [2]string{"#", "include"} {
			if name, err := strconv.Unquote(text); err == nil {
				names = append(names, name)
			}
		}
		before = [2]string{before[1], text}
	}
	return names, context.Cause(ctx) // the scanner takes an error for the end
}
