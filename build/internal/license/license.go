// Package license finds the licences of Go modules in the modules' files.
//
// It takes modules (a folder each, and which of its packages are linked) and returns for each an
// SPDX licence expression, the files that it is based on, and their copyright lines; Texts makes
// the one file of licence texts that must accompany a binary.
//
// It never guesses. A text counts only if google/licensecheck recognises at least 75 % of its
// words, as pkg.go.dev requires, and if the rest does not restrict or extend the licence. If a
// licence file is not recognised, or no licence file covers a linked package, the module's
// expression is empty: documents then say NOASSERTION. Several licences all apply (AND), in one
// file or in several, unless a text names exactly two and gives the user the choice (OR).
//
// It runs no command, uses no network and follows no link out of a module.
package license

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/version"
	"slices"
	"strings"
)

// Module is a module with linked code, and the folders of its linked packages.
type Module struct {
	Path, Version string
	// Sum is the go.sum hash ("h1:…") of exactly the content of Dir, as in the module cache. It
	// is empty for everything else: a folder that replaces a module, a vendored or a workspace
	// module. Results are then cached by the content of the licence files.
	Sum string
	// Verify, if not nil, checks that Dir still has this Sum. It is called after the files were
	// read and before the result is cached under Sum.
	Verify func(context.Context) error
	// Dir is the folder with the module's files; if empty, nothing is known about it.
	Dir string
	// Packages are the folders of the linked packages relative to Dir, with
	// slashes; "." is the root.
	Packages []string
}

// Result is the result for a module.
type Result struct {
	Path    string `json:"-"`
	Version string `json:"-"`
	// Expression is the SPDX licence expression (SPDX 2.3 annex D) for the linked packages; empty
	// if unknown.
	Expression string `json:"expression"`
	// Declared is the expression of the files in the module's root, which apply to the module as
	// a whole; empty if unknown.
	Declared string `json:"declared"`
	// Files are the licence and notice files of the linked packages, by name.
	Files []File `json:"files"`
	// Copyrights are the copyright lines of Files, sorted.
	Copyrights []string `json:"copyrights"`
}

// File is one licence or notice file.
type File struct {
	// Name is relative to the module's folder, with slashes.
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // hex
	// IDs are the SPDX identifiers found, sorted; empty if the text is not recognised.
	IDs []string `json:"ids,omitempty"`
	// Choice is the statement that gives the user the choice between licences; empty if there is
	// none.
	Choice string `json:"choice,omitempty"`
	// Notice says that the file accompanies a licence and is not one: NOTICE, PATENTS and
	// similar.
	Notice bool `json:"notice,omitempty"`
}

// Heap is the size of the heap in bytes when the first text is read: licensecheck prepares its data
// then. With a lower memory limit (runtime/debug), garbage collection takes most of the time.
const Heap = 160 << 20

// Memo returns the cached value for the key, otherwise it calls make and caches the result. While
// make runs, Memo may be called again with another key. Keys are letters, digits and hyphens. A
// nil Memo caches nothing.
type Memo func(key string, make func() ([]byte, error)) ([]byte, error)

// rules is part of every key: it changes with the rules of this package and with the version of
// licensecheck.
const rules = "1"

// do caches the value of make as JSON. A value that cannot be decoded is made again.
func do[T any](memo Memo, kind, id string, make func() (T, error)) (T, error) {
	if memo == nil {
		return make()
	}
	var value T
	fresh := false
	b, err := memo("license-"+kind+"-"+rules+"-"+id, func() ([]byte, error) {
		v, err := make()
		if err != nil {
			return nil, err
		}
		value, fresh = v, true
		return json.Marshal(v)
	})
	if err != nil || fresh {
		return value, err
	}
	if json.Unmarshal(b, &value) != nil {
		return make()
	}
	return value, nil
}

// Standard returns the standard library and the runtime of the toolchain in goroot as a module;
// version is the toolchain's, such as "go1.26.8". One licence, in the root, covers them with all
// vendored code. The only other licence of a package is BoringSSL's, which is used only with cgo.
func Standard(goroot, version string) Module {
	return Module{Path: "std", Version: version, Dir: goroot, Packages: []string{"."}}
}

// Scan finds the licences of the modules; results are in the modules' order. The first text that
// is not cached costs about a second and 110 MiB, for licensecheck's initialisation; with a warm
// cache, memo is called once for each module.
func Scan(ctx context.Context, modules []Module, memo Memo) ([]Result, error) {
	results := make([]Result, 0, len(modules))
	for _, m := range modules {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := scan(ctx, m, memo)
		if err != nil {
			return nil, fmt.Errorf("find licence of %s: %w", m.Path, err)
		}
		r.Path, r.Version = m.Path, m.Version
		results = append(results, r)
	}
	return results, nil
}

func scan(ctx context.Context, m Module, memo Memo) (Result, error) {
	pinned := m.Sum
	if m.Path == "std" && version.IsValid(m.Version) {
		pinned = m.Version
	}
	if pinned == "" {
		return inspect(m, memo)
	}
	packages := slices.Sorted(slices.Values(m.Packages))
	id := sha256.Sum256([]byte(m.Path + "\n" + pinned + "\n" + strings.Join(packages, "\n")))
	return do(memo, "module", hex.EncodeToString(id[:]), func() (Result, error) {
		r, err := inspect(m, memo)
		if err == nil && m.Verify != nil {
			err = m.Verify(ctx)
		}
		return r, err
	})
}
