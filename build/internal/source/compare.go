package source

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/filesum"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// Kind says how a file differs from the commit.
type Kind int

// The kinds of difference.
const (
	// Changed is a file with other content than in the commit.
	Changed Kind = iota + 1
	// Missing is a file of the commit that is not in the working tree.
	Missing
	// Untracked is a file of the working tree that is not in the commit.
	Untracked
	// Outside is a file outside of the repository.
	Outside
	// Pointer is a Git LFS pointer in place of the content.
	Pointer
)

// String says how a file of this kind differs.
func (k Kind) String() string {
	return map[Kind]string{
		Changed: "differs from the commit", Missing: "is missing here", Untracked: "is in no commit",
		Outside: "is outside of the repository", Pointer: "is a pointer of Git LFS",
	}[k]
}

// Difference is a file that differs from the commit.
type Difference struct {
	// File is relative to the repository's root, with slashes; it begins with "../" if outside.
	File string
	Kind Kind
	// Reason adds to the kind what is wrong and how to fix it; may be "".
	Reason string
	// Path is the absolute path without symlinks; "" outside of the repository.
	Path string
}

// Why says what is wrong with the file; "" for other content without a known reason.
func (d Difference) Why() string {
	switch {
	case d.Kind == Changed:
		return d.Reason
	case d.Reason != "":
		return "it " + d.Kind.String() + ": " + d.Reason
	}
	return "it " + d.Kind.String()
}

// File is a file to compare, by absolute path. Of a folder only the name is compared.
type File struct {
	Path string
	// Link compares only a symlink itself. Otherwise its target is compared too.
	Link bool
	// Asset says that the file is only copied. It is not read again if it is remembered. Other
	// files are always read.
	Asset bool
}

// Compare returns the files that differ from the commit, sorted. A file that is neither on disk
// nor in the commit does not differ. Many or large assets are remembered in the store; with
// nil, every file is read.
func (c *Commit) Compare(ctx context.Context, files []File, store filesum.Store) ([]Difference, error) {
	w := newWalk(c)
	places := make([]place, len(files))
	for i, f := range files {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		var err error
		if places[i], err = w.locate(ctx, f.Path, !f.Link); err != nil {
			return nil, err
		}
	}
	known := c.recall(files, places, store)
	found := make([]*Difference, len(files))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		at := places[i]
		if d := at.difference; d != nil || at.info.IsDir() {
			if d == nil || d.Reason == "" && (d.Kind == Untracked || d.Kind == Outside) && !exists(f.Path) {
				continue
			}
			found[i] = named(at)
			continue
		}
		g.Go(func() error {
			if err := context.Cause(gctx); err != nil {
				return err
			}
			if f.Asset && known.has(at) {
				return nil
			}
			began := time.Now()
			var err error
			if at.difference, err = at.compare(gctx); err == nil && at.difference == nil && f.Asset {
				known.add(at, began)
			}
			found[i] = named(at)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	known.keep()
	var differences []Difference
	for i, d := range found {
		if d != nil {
			d.File = c.shown(files[i].Path)
			differences = append(differences, *d)
		}
	}
	slices.SortFunc(differences, func(a, b Difference) int { return cmp.Compare(a.File, b.File) })
	return slices.CompactFunc(differences, func(a, b Difference) bool { return a.File == b.File }), nil
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// Gone reports whether a path of Commit.Files is missing on disk.
func Gone(file string) bool {
	info, err := os.Lstat(file)
	return err != nil || info.IsDir()
}

// named returns the difference of a place, with its path; nil if there is none.
func named(at place) *Difference {
	if at.difference == nil {
		return nil
	}
	d := *at.difference
	d.Path = at.file
	return &d
}

// compare compares the content with the commit's.
func (at place) compare(ctx context.Context) (*Difference, error) {
	if at.info.Mode().Type() == fs.ModeSymlink {
		text, err := os.Readlink(at.file)
		if err != nil {
			return nil, fmt.Errorf("compare with the commit: %w", err)
		}
		if at.commit.id([]byte(filepath.ToSlash(text))) != at.entry.id {
			return &Difference{Kind: Changed, Reason: "the symlink leads elsewhere in the commit"}, nil
		}
		return nil, nil
	}
	if !at.info.Mode().IsRegular() {
		return &Difference{Kind: Changed, Reason: "it is not a regular file here"}, nil
	}
	id, head, err := at.commit.hashFile(ctx, at.file)
	if err != nil {
		return nil, err
	}
	switch {
	case isPointer(head, at.info.Size()):
		return &Difference{Kind: Pointer, Reason: "its content was not fetched; git lfs pull"}, nil
	case id == at.entry.id:
		return nil, nil
	}
	return at.explain(ctx)
}

// maxExplained is the size in bytes up to which a difference is analysed.
const maxExplained = 64 << 20

// explain finds out why the content differs. The content of a Git LFS file is as committed if
// the commit has the pointer to it.
func (at place) explain(ctx context.Context) (*Difference, error) {
	is, err := at.isPointedTo(ctx)
	if err != nil {
		return nil, err
	}
	if is {
		return nil, nil
	}
	changed := &Difference{Kind: Changed}
	if at.info.Size() > maxExplained {
		return changed, nil // without a reason
	}
	content, err := os.ReadFile(at.file)
	if err != nil {
		return nil, fmt.Errorf("compare with the commit: %w", err)
	}
	unix := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	switch at.entry.id {
	case at.commit.id(unix):
		changed.Reason = `its line ends differ: git made them CRLF; set core.autocrlf=false (git config ` +
			`core.autocrlf false) and check the files out again, or write "* -text" into .gitattributes`
	case at.commit.id(bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n"))):
		changed.Reason = `its line ends differ: they are CRLF in the commit; write "* -text" into ` +
			`.gitattributes and check the files out again`
	}
	return changed, nil
}

// pointerHead is the beginning of every Git LFS pointer (https://git-lfs.github.com/spec/v1).
// oldPointerHead is that of old pointers, which Git LFS still reads.
const (
	pointerHead    = "version https://git-lfs.github.com/spec/v1\n"
	oldPointerHead = "version https://hawser.github.com/spec/v1\n"
)

// maxPointer is larger than the size in bytes of every pointer.
const maxPointer = 1024

func isPointer(head []byte, size int64) bool {
	return size < maxPointer && (bytes.HasPrefix(head, []byte(pointerHead)) ||
		bytes.HasPrefix(head, []byte(oldPointerHead)))
}

// isPointedTo reports whether the commit has the Git LFS pointer to this content. The pointer
// can be computed from the content, so the blob need not be read.
func (at place) isPointedTo(ctx context.Context) (bool, error) {
	f, err := os.Open(at.file)
	if err != nil {
		return false, fmt.Errorf("compare with the commit: %w", err)
	}
	defer f.Close() // only read from
	h := sha256.New()
	size, err := io.Copy(h, limit.Reader(ctx, f))
	if err != nil {
		return false, fmt.Errorf("compare with the commit: %w", err)
	}
	pointer := fmt.Sprintf("%soid sha256:%x\nsize %d\n", pointerHead, h.Sum(nil), size)
	return at.commit.id([]byte(pointer)) == at.entry.id, nil
}

// id returns the object id of a blob, in hex.
func (c *Commit) id(content []byte) string {
	h := c.newHash()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// hashFile returns the object id of a file's content, and its first bytes.
func (c *Commit) hashFile(ctx context.Context, file string) (id string, head []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", nil, fmt.Errorf("compare with the commit: %w", err)
	}
	defer f.Close() // only read from
	info, err := f.Stat()
	if err != nil {
		return "", nil, fmt.Errorf("compare with the commit: %w", err)
	}
	h := c.newHash()
	fmt.Fprintf(h, "blob %d\x00", info.Size())
	start := &headWriter{}
	buffer := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buffer)
	n, err := io.CopyBuffer(io.MultiWriter(h, start), limit.Reader(ctx, f), *buffer)
	if err != nil {
		return "", nil, fmt.Errorf("compare with the commit: %w", err)
	}
	if n != info.Size() {
		return "", nil, fmt.Errorf("compare %s with the commit: its size changes", file)
	}
	return hex.EncodeToString(h.Sum(nil)), start.kept, nil
}

// headWriter keeps the first bytes.
type headWriter struct{ kept []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	if missing := len(pointerHead) - len(w.kept); missing > 0 {
		w.kept = append(w.kept, p[:min(missing, len(p))]...)
	}
	return len(p), nil
}
