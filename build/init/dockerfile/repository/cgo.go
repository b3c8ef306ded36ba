package repository

import (
	"path"
	"slices"
	"strings"
)

// cgoModules are modules that need cgo, and whose stubs without it only return errors.
var cgoModules = []string{
	"github.com/mattn/go-sqlite3", "github.com/confluentinc/confluent-kafka-go", "github.com/DataDog/zstd",
	"github.com/valyala/gozstd", "github.com/marcboeker/go-duckdb", "github.com/duckdb/duckdb-go",
	"github.com/h2non/bimg", "github.com/davidbyttow/govips", "gopkg.in/gographics/imagick",
	"github.com/libgit2/git2go", "github.com/linxGnu/grocksdb", "github.com/tecbot/gorocksdb",
	"github.com/google/gopacket",
	"github.com/gopacket/gopacket", "github.com/miekg/pkcs11", "github.com/godror/godror",
	"github.com/seccomp/libseccomp-golang", "github.com/bytecodealliance/wasmtime-go",
	"github.com/wasmerio/wasmer-go",
	"github.com/mutecomm/go-sqlcipher", "github.com/smacker/go-tree-sitter",
	"github.com/tree-sitter/go-tree-sitter", "rogchap.com/v8go", "github.com/chai2010/webp",
	"github.com/ianlancetaylor/cgosymbolizer", "github.com/karalabe/usb", "github.com/msteinert/pam",
	"gocv.io/x/gocv",
}

// NeedsCgo reports whether a module has packages with cgo: of its own, or in a module that it
// requires.
func (r Repository) NeedsCgo(module string) bool {
	gomod, err := r.Files.Read(path.Join(module, "go.mod"))
	if err != nil {
		return true
	}
	if slices.ContainsFunc(cgoModules, func(m string) bool { return strings.Contains(string(gomod), m) }) {
		return true
	}
	return slices.ContainsFunc(r.Files.Under(path.Join(".", module)), func(name string) bool {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
			strings.Contains(name, "vendor/") {
			return false
		}
		text, err := r.Files.Read(name)
		return err == nil && strings.Contains(string(text), "\nimport \"C\"")
	})
}
