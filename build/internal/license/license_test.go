package license

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// module writes files into a new folder and returns it as a module without a sum.
func module(t testing.TB, files map[string]string, packages ...string) Module {
	t.Helper()
	m := Module{Path: "example.com/m", Version: "v1.0.0", Dir: t.TempDir(), Packages: packages}
	for name, text := range files {
		file := filepath.Join(m.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// store is a Memo in memory that counts what it had to make.
type store struct {
	values map[string][]byte
	made   atomic.Int32
}

func (s *store) memo(key string, make func() ([]byte, error)) ([]byte, error) {
	if b, ok := s.values[key]; ok {
		return b, nil
	}
	s.made.Add(1)
	b, err := make()
	if err == nil {
		s.values[key] = b
	}
	return b, err
}

func TestScan(t *testing.T) {
	testtool.NotShort(t)
	mit, isc := fixture(t, "testdata/MIT"), fixture(t, "testdata/ISC")
	apache := fixture(t, "../../../LICENSE")
	const either = "This software is licensed under either of the Apache License 2.0 or the MIT license, at your option.\n"

	tests := []struct {
		name       string
		files      map[string]string
		packages   []string
		expression string
		declared   string
		listed     []string // the files of the result; nil if they do not matter
	}{
		{"one licence", map[string]string{"LICENSE": mit}, []string{"."}, "MIT", "MIT", []string{"LICENSE"}},
		{"other names", map[string]string{"Licence.md": mit, "copying.txt": isc}, []string{"."}, "ISC AND MIT", "ISC AND MIT", []string{"Licence.md", "copying.txt"}},
		{"none", map[string]string{"README.md": mit}, []string{"."}, "", "", []string{}},
		{"gibberish", map[string]string{"LICENSE": "colourless green ideas sleep furiously"}, []string{"."}, "", "", []string{"LICENSE"}},
		{"empty", map[string]string{"LICENSE": ""}, []string{"."}, "", "", []string{"LICENSE"}},
		{"binary", map[string]string{"LICENSE": "\x00\xff\xfe" + strings.Repeat("\x80\n", 100)}, []string{"."}, "", "", nil},
		{"only a name", map[string]string{"LICENSE": "MIT"}, []string{"."}, "", "", nil},
		{"too long", map[string]string{"LICENSE": mit + strings.Repeat("\n", maxText)}, []string{"."}, "", "", []string{}},
		{"one known, one not", map[string]string{"LICENSE": mit, "LICENSE.extra": "all your base are belong to us"}, []string{"."}, "", "", nil},
		{"a condition on top", map[string]string{"LICENSE": mit + "\nThe Software may not be used on a Sunday.\n"}, []string{"."}, "", "", nil},
		{"an exception", map[string]string{"LICENSE": "Everything here, except for the logo, is under this licence:\n\n" + mit}, []string{"."}, "", "", nil},
		{"drowned", map[string]string{"LICENSE": mit + strings.Repeat("blah ", 200)}, []string{"."}, "", "", nil},

		{"two in one file", map[string]string{"LICENSE": mit + "\n-----\n\n" + isc}, []string{"."}, "ISC AND MIT", "ISC AND MIT", nil},
		{"two files", map[string]string{"LICENSE-APACHE": apache, "LICENSE-MIT": mit}, []string{"."}, "Apache-2.0 AND MIT", "Apache-2.0 AND MIT", nil},
		{"a choice, stated apart", map[string]string{"LICENSE": either, "LICENSE-APACHE": apache, "LICENSE-MIT": mit}, []string{"."}, "Apache-2.0 OR MIT", "Apache-2.0 OR MIT", nil},
		{"a choice in COPYRIGHT", map[string]string{"COPYRIGHT": either, "LICENSE-APACHE": apache, "LICENSE-MIT": mit}, []string{"."}, "Apache-2.0 OR MIT", "Apache-2.0 OR MIT", nil},
		{"a choice in one file", map[string]string{"LICENSE": either + "\n" + apache + "\n" + mit}, []string{"."}, "Apache-2.0 OR MIT", "Apache-2.0 OR MIT", nil},
		{"a choice between others", map[string]string{"LICENSE": either, "LICENSE-ISC": isc, "LICENSE-MIT": mit}, []string{"."}, "", "", nil},
		{"a choice of three", map[string]string{"LICENSE": either, "COPYING": isc, "LICENSE-APACHE": apache, "LICENSE-MIT": mit}, []string{"."}, "", "", nil},
		{"a choice and one text", map[string]string{"LICENSE": either, "LICENSE-MIT": mit}, []string{"."}, "", "", nil},

		{"linked package with its own", map[string]string{"LICENSE": mit, "internal/ref/COPYING": isc}, []string{".", "internal/ref"}, "ISC AND MIT", "MIT", []string{"LICENSE", "internal/ref/COPYING"}},
		{"licence above the linked package", map[string]string{"LICENSE": mit, "a/LICENSE": isc}, []string{"a/b/c"}, "ISC AND MIT", "MIT", nil},
		{"strange folder", map[string]string{"LICENSE": mit, "-a/b/LICENSE": isc}, []string{"-a/b"}, "ISC AND MIT", "MIT", nil},
		{"package that is not linked", map[string]string{"LICENSE": mit, "cmd/tool/LICENSE": isc}, []string{"."}, "MIT", "MIT", []string{"LICENSE"}},
		{"not understood below", map[string]string{"LICENSE": mit, "a/LICENSE": "ask my lawyer"}, []string{"a"}, "", "MIT", nil},
		{"package without", map[string]string{"a/LICENSE": mit, "b/b.go": ""}, []string{"a", "b"}, "", "", nil},
		{"choice and more", map[string]string{"LICENSE": either, "LICENSE-A": apache, "LICENSE-M": mit, "a/LICENSE": isc}, []string{"a"}, "(Apache-2.0 OR MIT) AND ISC", "Apache-2.0 OR MIT", nil},

		{"notice", map[string]string{"LICENSE": mit, "NOTICE.txt": "m\nCopyright 2020 A. Gopher\n", "PATENTS": "a grant", "COPYRIGHT": "Copyright 2020 A. Gopher"}, []string{"."}, "MIT", "MIT", []string{"COPYRIGHT", "LICENSE", "NOTICE.txt", "PATENTS"}},
		{"third parties", map[string]string{"LICENSE": mit, "LICENSE-THIRD-PARTY": "much"}, []string{"."}, "MIT", "MIT", []string{"LICENSE", "LICENSE-THIRD-PARTY"}},
		{"not texts", map[string]string{"LICENSE": mit, "license.go": "package m", "LICENSE.docs": isc, "license-header.txt": "x", "licenses.csv": "x"}, []string{"."}, "MIT", "MIT", []string{"LICENSE"}},

		{"REUSE", map[string]string{"LICENSES/MIT.txt": mit, "LICENSES/ISC.txt": isc}, []string{"a"}, "ISC AND MIT", "ISC AND MIT", nil},
		{"LICENSES of others", map[string]string{"LICENSE": mit, "LICENSES/example.com.txt": isc}, []string{"."}, "MIT", "MIT", []string{"LICENSE"}},
		{"REUSE with its own licence", map[string]string{"LICENSES/MIT.txt": mit, "LICENSES/LicenseRef-Mine.txt": "mine"}, []string{"."}, "", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range tt.packages {
				tt.files[p+"/code.go"] = "package p"
			}
			m := module(t, tt.files, tt.packages...)
			results, err := Scan(context.Background(), []Module{m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if r.Expression != tt.expression || r.Declared != tt.declared {
				t.Errorf("expression %q, declared %q; want %q, %q\n%+v", r.Expression, r.Declared, tt.expression, tt.declared, r.Files)
			}
			if r.Path != m.Path || r.Version != m.Version {
				t.Errorf("result is for %s %s", r.Path, r.Version)
			}
			var names []string
			for _, f := range r.Files {
				names = append(names, f.Name)
			}
			if tt.listed != nil && !slices.Equal(names, tt.listed) {
				t.Errorf("files %q, want %q", names, tt.listed)
			}
		})
	}
}

func TestCopyrights(t *testing.T) {
	const text = `// Copyright (c) 2020 A. Gopher
Copyright The Example Authors
   © 2021 Example GmbH
Copyright [yyyy] [name of copyright owner]
copyright notice that is included in or attached to the work in 2020
Copyright holders are listed elsewhere.
Copyright (c) 2020 A. Gopher
`
	want := []string{"Copyright (c) 2020 A. Gopher", "Copyright The Example Authors", "© 2021 Example GmbH"}
	if got := copyrights([]byte(text)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege on Windows")
	}
	m := module(t, map[string]string{"sub/TEXT": fixture(t, "testdata/ISC"), "a/a.go": ""}, ".", "a")
	outside := filepath.Join(t.TempDir(), "LICENSE")
	if err := os.WriteFile(outside, []byte(fixture(t, "testdata/MIT")), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"LICENSE": outside, "COPYING": "sub/TEXT", "COPYING.gone": "nowhere", "LICENSES": filepath.Dir(outside), "a/LICENSE": "../../" + filepath.Base(filepath.Dir(outside)),
	} {
		if err := os.Symlink(target, filepath.Join(m.Dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Scan(context.Background(), []Module{m}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r[0].Expression != "ISC" || len(r[0].Files) != 1 || r[0].Files[0].Name != "COPYING" {
		t.Errorf("got %+v, want only what is inside the module", r[0])
	}
}

func TestMemo(t *testing.T) {
	mit := fixture(t, "testdata/MIT")
	pinned := module(t, map[string]string{"LICENSE": mit, "a/a.go": ""}, ".", "a")
	pinned.Sum = "h1:0000"
	folder := module(t, map[string]string{"LICENSE": mit}, ".")
	s := &store{values: map[string][]byte{}}

	first, err := Scan(context.Background(), []Module{pinned, folder}, s.memo)
	if err != nil {
		t.Fatal(err)
	}
	if n := s.made.Load(); n != 2 { // the module and the text, which both share
		t.Errorf("%d values were made, want 2", n)
	}
	for key := range s.values {
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("key %q has other characters than the comment says", key)
		}
	}

	// With a sum, the files are not looked at again; the order does not matter.
	if err := os.Remove(filepath.Join(pinned.Dir, "LICENSE")); err != nil {
		t.Fatal(err)
	}
	pinned.Packages = []string{"a", "."}
	again, err := Scan(context.Background(), []Module{pinned, folder}, s.memo)
	if err != nil {
		t.Fatal(err)
	}
	if s.made.Load() != 2 || !reflect.DeepEqual(first, again) {
		t.Errorf("second scan differs: %+v, made %d", again, s.made.Load())
	}

	// Without one, a changed file is seen.
	if err := os.WriteFile(filepath.Join(folder.Dir, "LICENSE"), []byte("no more"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed, err := Scan(context.Background(), []Module{folder}, s.memo)
	if err != nil {
		t.Fatal(err)
	}
	if changed[0].Expression != "" {
		t.Errorf("expression of the changed folder is %q", changed[0].Expression)
	}

	// Other packages are another question.
	pinned.Packages = []string{"."}
	if r, err := Scan(context.Background(), []Module{pinned}, s.memo); err != nil || r[0].Expression != "" {
		t.Errorf("got %+v, %v", r, err)
	}

	// What cannot be read back is found again.
	for key := range maps.Clone(s.values) {
		s.values[key] = []byte("{")
	}
	if r, err := Scan(context.Background(), []Module{module(t, map[string]string{"LICENSE": mit}, ".")}, s.memo); err != nil || r[0].Expression != "MIT" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestScanErrors(t *testing.T) {
	gone := Module{Path: "example.com/gone", Dir: filepath.Join(t.TempDir(), "gone"), Packages: []string{"."}}
	if _, err := Scan(context.Background(), []Module{gone}, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "example.com/gone") {
		t.Errorf("missing folder: %v", err)
	}
	if r, err := Scan(context.Background(), []Module{{Path: "example.com/nowhere"}}, nil); err != nil || r[0].Expression != "" {
		t.Errorf("module without a folder: %+v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Scan(ctx, []Module{gone}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	failing := func(string, func() ([]byte, error)) ([]byte, error) { return nil, os.ErrPermission }
	if _, err := Scan(context.Background(), []Module{module(t, map[string]string{"LICENSE": "x"}, ".")}, failing); !errors.Is(err, os.ErrPermission) {
		t.Errorf("failing memo: %v", err)
	}
}

// The licence of a module is not remembered under a sum that its folder does not have.
func TestScanVerifies(t *testing.T) {
	m := module(t, map[string]string{"LICENSE": fixture(t, "testdata/MIT")}, ".")
	m.Sum = "h1:x"
	wrong := errors.New("it does not match go.sum")
	m.Verify = func(context.Context) error { return wrong }
	s := &store{values: map[string][]byte{}}
	if _, err := Scan(t.Context(), []Module{m}, s.memo); !errors.Is(err, wrong) {
		t.Errorf("the error is %v", err)
	}
	if err := os.Remove(filepath.Join(m.Dir, "LICENSE")); err != nil {
		t.Fatal(err)
	}
	verified := 0
	m.Verify = func(context.Context) error { verified++; return nil }
	for range 2 {
		results, err := Scan(t.Context(), []Module{m}, s.memo)
		if err != nil || results[0].Expression != "" || verified != 1 {
			t.Errorf("the licence is %+v, %v, after %d checks", results, err, verified)
		}
	}
}
