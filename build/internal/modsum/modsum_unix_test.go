//go:build unix

package modsum_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"

	"github.com/thimble-build/thimble/build/internal/modsum"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is a file of a module.
type text struct{ name, content string }

func (f text) Path() string                 { return f.name }
func (f text) Lstat() (os.FileInfo, error)  { return info{f}, nil }
func (f text) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(f.content)), nil }

type info struct{ f text }

func (i info) Name() string       { return filepath.Base(i.f.name) }
func (i info) Size() int64        { return int64(len(i.f.content)) }
func (i info) Mode() os.FileMode  { return 0o644 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }

// cached is a module cache with one module, as the go command leaves it.
func cached(t *testing.T) (dir, folder, zipFile string, m modsum.Module) {
	t.Helper()
	dir = t.TempDir()
	v := module.Version{Path: "example.com/Acme/lib", Version: "v1.2.3"}
	folder = filepath.Join(dir, "example.com", "!acme", "lib@v1.2.3")
	zipFile = filepath.Join(dir, "cache", "download", "example.com", "!acme", "lib", "@v", "v1.2.3.zip")
	var b bytes.Buffer
	ok(t, zip.Create(&b, v, []zip.File{
		text{"go.mod", "module example.com/Acme/lib\n"}, text{"lib.go", "package lib\n"}, text{"sub/sub.go", "package sub\n"},
	}))
	ok(t, os.MkdirAll(filepath.Dir(zipFile), 0o755))
	ok(t, os.WriteFile(zipFile, b.Bytes(), 0o644))
	ok(t, zip.Unzip(folder, v, zipFile))
	sum, err := dirhash.HashZip(zipFile, dirhash.Hash1)
	ok(t, err)
	return dir, folder, zipFile, modsum.Module{Path: v.Path, Version: v.Version, Sum: sum}
}

// memory is a store.
type memory map[string][]byte

func (m memory) Get(key string) ([]byte, bool) { v, ok := m[key]; return v, ok }
func (m memory) Put(key string, value []byte)  { m[key] = value }

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, folder, zipFile string, m *modsum.Module)
		want   string
	}{
		"as it was": {func(*testing.T, string, string, *modsum.Module) {}, ""},
		"changed": {func(t *testing.T, folder, _ string, _ *modsum.Module) {
			replace(t, filepath.Join(folder, "sub", "sub.go"), "package bus\n")
		}, filepath.Join("lib@v1.2.3", "sub", "sub.go") + " was changed; remove the folder"},
		"added": {func(t *testing.T, folder, _ string, _ *modsum.Module) {
			ok(t, os.WriteFile(filepath.Join(folder, "more.go"), []byte("package lib\n"), 0o644))
		}, "more.go is not a file of the module"},
		"removed": {func(t *testing.T, folder, _ string, _ *modsum.Module) {
			ok(t, os.Remove(filepath.Join(folder, "lib.go")))
		}, "lib.go is missing"},
		"changed, and the zip file is gone": {func(t *testing.T, folder, zipFile string, _ *modsum.Module) {
			time.Sleep(20 * time.Millisecond)
			replace(t, filepath.Join(folder, "lib.go"), "package bil\n")
			ok(t, os.Remove(zipFile))
		}, "lib.go was changed last, at "},
		"changed, as the zip file was": {func(t *testing.T, folder, zipFile string, _ *modsum.Module) {
			time.Sleep(20 * time.Millisecond)
			replace(t, filepath.Join(folder, "lib.go"), "package bil\n")
			ok(t, os.WriteFile(zipFile, []byte("no zip"), 0o644))
		}, "lib.go was changed last, at "},
		"another sum": {func(_ *testing.T, _, _ string, m *modsum.Module) { m.Sum = "h1:AAAA" }, "it does not match go.sum"},
		"no sum":      {func(_ *testing.T, _, _ string, m *modsum.Module) { m.Sum = "" }, "go.sum has no hash for it; run go mod tidy"},
		"no folder": {func(t *testing.T, folder, _ string, _ *modsum.Module) {
			ok(t, os.RemoveAll(folder))
		}, "no such file"},
	} {
		for kind, always := range map[string]bool{"": false, ", all are read": true} {
			t.Run(name+kind, func(t *testing.T) {
				dir, folder, zipFile, m := cached(t)
				store := memory{}
				check := func() error { return modsum.Open(dir, store, always).Check(t.Context(), []modsum.Module{m, m}) }
				time.Sleep(50 * time.Millisecond) // so that it is remembered
				ok(t, check())
				if len(store) != 1 {
					t.Errorf("%d modules are remembered", len(store))
				}
				before := maps.Clone(store)
				ok(t, check())
				test.change(t, folder, zipFile, &m)
				err := check()
				if test.want == "" {
					ok(t, err)
					return
				}
				if err == nil || !strings.Contains(err.Error(), "check module example.com/Acme/lib v1.2.3: ") || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v, want %q", err, test.want)
				}
				if !maps.EqualFunc(before, store, bytes.Equal) {
					t.Error("what is wrong is remembered")
				}
			})
		}
	}
}

// A module that takes long to read, such as one of which a file was made large, ends with the context.
func TestCheckEndsWithTheContext(t *testing.T) {
	dir, folder, _, m := cached(t)
	ok(t, os.Chmod(filepath.Join(folder, "lib.go"), 0o644))
	ok(t, os.Truncate(filepath.Join(folder, "lib.go"), 1<<36)) // sparse
	why := errors.New("why")
	ctx, stop := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, why)
	defer stop()
	began := time.Now()
	err := modsum.Open(dir, memory{}, true).Check(ctx, []modsum.Module{m})
	if took := time.Since(began); !errors.Is(err, why) || took > 5*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

// replace writes another content of the same size, and sets the time back.
func replace(t *testing.T, path, content string) {
	t.Helper()
	before, err := os.Stat(path)
	ok(t, err)
	ok(t, os.Chmod(path, 0o644))
	ok(t, os.WriteFile(path, []byte(content), 0o644))
	ok(t, errors.Join(os.Chtimes(path, before.ModTime(), before.ModTime()), os.Chmod(path, before.Mode())))
}

// What is remembered is not read again: a folder whose states the store has passes, unless
// all are read.
func TestRemembered(t *testing.T) {
	dir, _, _, m := cached(t)
	store := memory{}
	time.Sleep(50 * time.Millisecond)
	ok(t, modsum.Open(dir, store, false).Check(t.Context(), []modsum.Module{m}))
	right := m.Sum
	m.Sum = "h1:other"
	for key, value := range store {
		store[key] = bytes.ReplaceAll(value, []byte(right), []byte(m.Sum))
	}
	if err := modsum.Open(dir, store, false).Check(t.Context(), []modsum.Module{m}); err != nil {
		t.Errorf("it was read again: %v", err)
	}
	if err := modsum.Open(dir, store, true).Check(t.Context(), []modsum.Module{m}); !errors.Is(err, modsum.ErrDiffers) {
		t.Errorf("it was not read again: %v", err)
	}
}

// Only the used folders of a module that was correct are compared, and the whole module if one differs.
func TestFolders(t *testing.T) {
	for name, test := range map[string]struct {
		folders []string
		change  func(t *testing.T, folder string)
		want    bool
	}{
		"nothing":                    {[]string{"."}, func(*testing.T, string) {}, true},
		"a file of a used folder":    {[]string{"."}, func(t *testing.T, f string) { replace(t, filepath.Join(f, "lib.go"), "package lob\n") }, false},
		"a file of another folder":   {[]string{"."}, func(t *testing.T, f string) { replace(t, filepath.Join(f, "sub", "sub.go"), "package sob\n") }, true},
		"the other folder is used":   {[]string{".", "sub"}, func(t *testing.T, f string) { replace(t, filepath.Join(f, "sub", "sub.go"), "package sob\n") }, false},
		"only the other is used":     {[]string{"sub"}, func(t *testing.T, f string) { replace(t, filepath.Join(f, "sub", "sub.go"), "package sob\n") }, false},
		"all are used":               {nil, func(t *testing.T, f string) { replace(t, filepath.Join(f, "sub", "sub.go"), "package sob\n") }, false},
		"a new file, used":           {[]string{"sub"}, func(t *testing.T, f string) { add(t, filepath.Join(f, "sub", "new.go")) }, false},
		"a new file, not used":       {[]string{"."}, func(t *testing.T, f string) { add(t, filepath.Join(f, "sub", "new.go")) }, true},
		"a file is gone":             {[]string{"sub"}, func(t *testing.T, f string) { remove(t, filepath.Join(f, "sub", "sub.go")) }, false},
		"the folder is gone":         {[]string{"sub"}, func(t *testing.T, f string) { remove(t, filepath.Join(f, "sub")) }, false},
		"a folder that is not there": {[]string{"none"}, func(*testing.T, string) {}, true}, // hashed
		"a new folder":               {[]string{"new"}, func(t *testing.T, f string) { add(t, filepath.Join(f, "new", "new.go")) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, folder, _, m := cached(t)
			store := memory{}
			time.Sleep(50 * time.Millisecond) // so that it is remembered
			ok(t, modsum.Open(dir, store, false).Check(t.Context(), []modsum.Module{m}))
			test.change(t, folder)
			m.Folders = test.folders
			err := modsum.Open(dir, store, false).Check(t.Context(), []modsum.Module{m})
			if test.want {
				ok(t, err)
			} else if !errors.Is(err, modsum.ErrDiffers) {
				t.Errorf("the error is %v", err)
			}
			if err := modsum.Open(dir, store, false).CheckNow(t.Context(), modsum.Module{Path: m.Path, Version: m.Version, Sum: m.Sum}); (err == nil) != (name == "nothing" || name == "a folder that is not there") {
				t.Errorf("as a whole: %v", err)
			}
		})
	}
}

func add(t *testing.T, file string) {
	t.Helper()
	if info, err := os.Stat(filepath.Dir(file)); err == nil {
		ok(t, os.Chmod(filepath.Dir(file), info.Mode()|0o700))
	} else {
		ok(t, os.Chmod(filepath.Dir(filepath.Dir(file)), 0o755))
	}
	ok(t, os.MkdirAll(filepath.Dir(file), 0o755))
	ok(t, os.WriteFile(file, []byte("package x\n"), 0o644))
}

func remove(t *testing.T, name string) {
	t.Helper()
	ok(t, os.Chmod(filepath.Dir(name), 0o755))
	ok(t, os.RemoveAll(name))
}
