// Package fileproxy publishes a module into a folder that works as a GOPROXY
// (https://go.dev/ref/mod#goproxy-protocol), for tests and benchmarks that use the kit as a
// downloaded module. It takes a git working tree as it is, committed or not, and writes only into
// the folder.
package fileproxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Publish adds the module in dir, a git working tree's root, to the proxy folder and returns its
// version: a pseudo-version with a hash of the content, so that the same content has the same
// version.
func Publish(proxy, dir string) (module.Version, error) {
	m, err := publish(proxy, dir)
	if err != nil {
		return module.Version{}, fmt.Errorf("publish %s: %w", dir, err)
	}
	return m, nil
}

func publish(proxy, dir string) (module.Version, error) {
	var m module.Version
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return m, err
	}
	m.Path = modfile.ModulePath(gomod)
	files, sum, err := list(dir)
	if err != nil {
		return m, err
	}
	m.Version = "v0.0.0-20200101000000-" + sum[:12]
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return m, err
	}
	at := filepath.Join(proxy, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return m, err
	}
	info, err := json.Marshal(map[string]string{"Version": m.Version, "Time": "2020-01-01T00:00:00Z"})
	if err != nil {
		return m, err
	}
	var content bytes.Buffer
	if err := zip.Create(&content, m, files); err != nil {
		return m, err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{
		{m.Version + ".info", info}, {m.Version + ".mod", gomod}, {m.Version + ".zip", content.Bytes()},
		{"list", []byte(m.Version + "\n")}, {"../@latest", info},
	} {
		if err := os.WriteFile(filepath.Join(at, f.name), f.text, 0o644); err != nil {
			return m, err
		}
	}
	return m, nil
}

// list returns the files that git tracks or would track, and a hash of them all.
func list(dir string) ([]zip.File, string, error) {
	out, err := testtool.Output(dir, nil, "git", "ls-files", "-z", "--cached", "--others",
		"--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, "", err
	}
	var files []zip.File
	h := sha256.New()
	for name := range strings.SplitSeq(strings.TrimRight(out, "\x00"), "\x00") {
		f := file{name, filepath.Join(dir, filepath.FromSlash(name))}
		fi, err := f.Lstat()
		if os.IsNotExist(err) { // deleted, and not yet committed
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if !fi.Mode().IsRegular() {
			continue
		}
		files = append(files, f)
		text, err := os.ReadFile(f.full)
		if err != nil {
			return nil, "", err
		}
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(text))
	}
	return files, hex.EncodeToString(h.Sum(nil)), nil
}

// file is a zip.File.
type file struct{ name, full string }

func (f file) Path() string                 { return f.name }
func (f file) Lstat() (fs.FileInfo, error)  { return os.Lstat(f.full) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.full) }

// Environment makes the go command take modules from the proxy folder, then from this machine's
// module cache, and last from this machine's GOPROXY, into the empty cache modcache. The module
// cache alone is not enough: a module that requires the kit may select other versions of modules
// that only tests of its dependencies import.
func Environment(proxy, modcache string) ([]string, error) {
	out, err := testtool.Output("", nil, "go", "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	cache, last, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return []string{
		"GOPROXY=" + url(proxy) + "," + url(filepath.Join(cache, "cache", "download")) + "," + last,
		"GOMODCACHE=" + modcache,
		// A module that is in no public proxy is in no public log either.
		"GOSUMDB=off", "GOFLAGS=-modcacherw", "GOENV=off", "GOPRIVATE=", "GONOPROXY=", "GOTOOLCHAIN=local",
	}, nil
}

func url(dir string) string {
	path := filepath.ToSlash(dir)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	return "file://" + path
}
