// Package lock reads and writes thimble.lock.json, which pins the content of bases (Read, Write).
// It selects the part of the lock that a plan uses (Select), and describes how two locks differ
// (Compare). It resolves nothing and uses no network: the packages debian and baseimage find the
// content that a lock pins.
package lock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
	"github.com/thimble-build/thimble/build/plan"
)

// File is the file's name; it is at the module's root.
const File = "thimble.lock.json"

// Version of the file's format.
const Version = 1

// maxSize bounds the file, in bytes: a lock of a thousand packages has 0.5 MB.
const maxSize = 16 << 20

// ErrMissing says that something is not pinned; its text is the fix.
var ErrMissing = errors.New(`run "mage lock"`)

// ErrNewer says that a file was written by a later thimble.
var ErrNewer = errors.New("update the kit in magefiles/go.mod")

// Read reads a file and checks it. The error is fs.ErrNotExist if there is none, and ErrNewer if
// another version of thimble is required to read it.
func Read(path string) (*plan.Lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", File, err)
	}
	defer f.Close() // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", File, err)
	}
	l, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", File, err)
	}
	return l, nil
}

// ReadIfThere is Read, but returns nil if there is no file.
func ReadIfThere(path string) (*plan.Lock, error) {
	l, err := Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return l, err
}

// Previous is ReadIfThere for a caller that replaces a malformed file: it returns what is malformed.
// A file of a newer thimble is an error.
func Previous(path string) (l *plan.Lock, malformed, err error) {
	switch l, err = ReadIfThere(path); {
	case errors.Is(err, ErrNewer):
		return nil, nil, err
	case err != nil:
		return nil, err, nil
	}
	return l, nil, nil
}

// Parse parses the bytes of a file. Its result cannot name a file outside of a mirror, and every
// digest is complete.
func Parse(b []byte) (*plan.Lock, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	if bytes.Contains(b, []byte("\n<<<<<<<")) || bytes.HasPrefix(b, []byte("<<<<<<<")) {
		return nil, errors.New(`it has git's conflict markers; take either side and run "mage lock"`)
	}
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, malformed(err)
	}
	switch {
	case head.Version == nil:
		return nil, malformed(errors.New("it has no version"))
	case *head.Version > Version:
		return nil, fmt.Errorf("its version is %d, but this thimble supports %d; %w",
			*head.Version, Version, ErrNewer)
	case *head.Version < 1:
		return nil, malformed(fmt.Errorf("version %d", *head.Version))
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	l := &plan.Lock{}
	if err := decoder.Decode(l); err != nil {
		return nil, malformed(err)
	}
	if err := check(l); err != nil {
		return nil, malformed(err)
	}
	sortLock(l)
	return l, nil
}

func malformed(err error) error {
	return fmt.Errorf(`it is malformed: %w; take the committed one, or remove it and run "mage lock"`, err)
}

// Marshal returns the canonical text of a lock: indented, every list sorted, a final newline.
func Marshal(l *plan.Lock) ([]byte, error) {
	sorted := clone(l)
	sorted.Version = Version
	sortLock(sorted)
	if err := check(sorted); err != nil {
		return nil, fmt.Errorf("write %s: %w", File, err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // maintainers have addresses
	e.SetIndent("", "  ")
	if err := e.Encode(sorted); err != nil {
		return nil, fmt.Errorf("write %s: %w", File, err)
	}
	return b.Bytes(), nil
}

// Write writes the file completely or not at all. It does not write a file whose content is the
// same.
func Write(path string, l *plan.Lock) error {
	b, err := Marshal(l)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := atomicfile.WriteSynced(path, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", File, err)
	}
	return nil
}

// clone copies the lists, so that sorting does not change the caller's.
func clone(l *plan.Lock) *plan.Lock {
	c := *l
	c.Debian, c.Images = slices.Clone(l.Debian), slices.Clone(l.Images)
	for i := range c.Debian {
		d := &c.Debian[i]
		d.Indexes, d.Packages, d.Selections = slices.Clone(d.Indexes), slices.Clone(d.Packages),
			slices.Clone(d.Selections)
		for j := range d.Selections {
			s := &d.Selections[j]
			s.With, s.Packages = slices.Clone(s.With), slices.Clone(s.Packages)
		}
	}
	for i := range c.Images {
		c.Images[i].Platforms = slices.Clone(c.Images[i].Platforms)
	}
	return &c
}

func sortLock(l *plan.Lock) {
	slices.SortFunc(l.Debian, func(a, b plan.DebianLock) int { return strings.Compare(a.Suite, b.Suite) })
	for _, d := range l.Debian {
		slices.SortFunc(d.Indexes, func(a, b plan.DebianIndex) int {
			return cmp.Or(strings.Compare(a.Archive, b.Archive), strings.Compare(a.Suite, b.Suite))
		})
		for _, s := range d.Selections {
			slices.Sort(s.With)
			slices.SortFunc(s.Packages, func(a, b string) int { // by name
				x, v, _ := strings.Cut(a, "=")
				y, w, _ := strings.Cut(b, "=")
				return cmp.Or(strings.Compare(x, y), strings.Compare(v, w))
			})
		}
		slices.SortFunc(d.Selections, func(a, b plan.DebianSelection) int {
			return cmp.Or(strings.Compare(a.Base, b.Base), slices.Compare(a.With, b.With),
				strings.Compare(a.Architecture, b.Architecture))
		})
		slices.SortFunc(d.Packages, func(a, b plan.DebianPackage) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Architecture, b.Architecture),
				strings.Compare(a.Version, b.Version))
		})
	}
	slices.SortFunc(l.Images, func(a, b plan.ImageLock) int {
		return strings.Compare(a.Reference,
			b.Reference)
	})
	for _, i := range l.Images {
		slices.SortFunc(i.Platforms, func(a, b plan.ImagePlatformLock) int {
			return strings.Compare(a.Platform.String(), b.Platform.String())
		})
	}
}
