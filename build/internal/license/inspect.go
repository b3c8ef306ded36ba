package license

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxText is the maximum size of a licence text, in bytes. A longer file is an unknown licence.
const maxText = 1 << 20

// Folder is the folder for licence texts in the REUSE specification, each named after its SPDX
// identifier.
const Folder = "LICENSES"

// inspect reads the licence files of the folders of linked packages and of the folders above
// them, up to the module's root.
func inspect(m Module, memo Memo) (Result, error) {
	if m.Dir == "" {
		return Result{}, nil
	}
	root, err := os.OpenRoot(m.Dir)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()

	var r Result
	folders := map[string]folder{}
	within := map[string]bool{".": true} // real folders: a parent comes before its children
	for _, dir := range ancestry(m.Packages) {
		if !within[dir] {
			continue // not in this copy of the module, or a link
		}
		entries, err := os.ReadDir(filepath.Join(m.Dir, filepath.FromSlash(dir)))
		if err != nil {
			return Result{}, err
		}
		f := folder{}
		for _, e := range entries {
			if e.IsDir() {
				within[path.Join(dir, e.Name())] = true
				continue
			}
			k := kindOf(e.Name())
			if k == other {
				continue
			}
			if err := f.read(root, path.Join(dir, e.Name()), k, memo, &r); err != nil {
				return Result{}, err
			}
		}
		if dir == "." {
			if err := f.readReuse(root, memo, &r); err != nil {
				return Result{}, err
			}
		}
		folders[dir] = f
	}
	slices.SortFunc(r.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(r.Copyrights)
	r.Copyrights = slices.Compact(r.Copyrights)
	r.Declared = folders["."].expression()
	r.Expression = combine(folders, m.Packages)
	return r, nil
}

// ancestry returns the root, the folders and all folders above them, sorted: a folder comes
// before its content.
func ancestry(packages []string) []string {
	var dirs []string
	for _, p := range packages {
		for d := path.Clean(p); d != "." && d != "/"; d = path.Dir(d) {
			dirs = append(dirs, d)
		}
	}
	slices.Sort(dirs)
	return append([]string{"."}, slices.Compact(dirs)...)
}

// read adds one file to the folder and to the result.
func (f *folder) read(root *os.Root, name string, k kind, memo Memo, r *Result) error {
	text, err := readText(root, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if text == nil {
		return nil
	}
	if len(text) > maxText {
		if k == licenceText {
			f.unknown = true
		}
		return nil
	}
	sum := sha256.Sum256(text)
	file := File{Name: name, SHA256: hex.EncodeToString(sum[:]), Notice: k == notice}
	if !file.Notice {
		found, err := do(memo, "text", file.SHA256, func() (finding, error) { return identify(text), nil })
		if err != nil {
			return err
		}
		file.IDs, file.Choice = found.IDs, found.Choice
		file.Notice = k == copyrightText && len(file.IDs) == 0 && file.Choice == ""
		r.Copyrights = append(r.Copyrights, found.Copyrights...)
	}
	if !file.Notice {
		f.files = append(f.files, file)
	}
	r.Files = append(r.Files, file)
	return nil
}

// readReuse adds the texts of a LICENSES folder that follows REUSE. Other folders of this name
// contain licences of other code, and are ignored.
func (f *folder) readReuse(root *os.Root, memo Memo, r *Result) error {
	if info, err := root.Lstat(Folder); err != nil || !info.IsDir() {
		return nil
	}
	entries, err := fs.ReadDir(root.FS(), Folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		stem := strings.TrimSuffix(e.Name(), path.Ext(e.Name()))
		if e.IsDir() || path.Ext(e.Name()) != ".txt" {
			continue
		}
		if strings.HasPrefix(stem, "LicenseRef-") {
			f.unknown = true
			continue
		}
		var one folder
		var seen Result
		if err := one.read(root, path.Join(Folder, e.Name()), licenceText, memo, &seen); err != nil {
			return err
		}
		if len(one.files) == 1 && reuseNames(one.files[0], stem) {
			seen.Files[0].IDs = []string{stem}
			f.files = append(f.files, seen.Files...)
			r.Files = append(r.Files, seen.Files...)
			r.Copyrights = append(r.Copyrights, seen.Copyrights...)
		}
	}
	return nil
}

// readText returns the content of a regular file, at most one byte more than maxText. It is nil
// for anything else than a regular file inside the root.
func readText(root *os.Root, name string) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		target, err := root.Stat(name)
		if err != nil || !target.Mode().IsRegular() {
			return nil, nil // dangling, or leads out of the module
		}
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxText+1))
	if err != nil {
		return nil, err
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}
