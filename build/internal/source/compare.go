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

// Kind is how a file differs from the commit.
type Kind int

// The kinds of difference.
const (
	// Changed is a file that the commit has with other content.
	Changed Kind = iota + 1
	// Missing is a file that the commit has and the working tree does not.
	Missing
	// Untracked is a file of the working tree that the commit does not have.
	Untracked
	// Outside is a file outside of the repository.
	Outside
	// Pointer is a pointer of Git LFS in place of the content.
	Pointer
)

// String says what a file of this kind does.
func (k Kind) String() string {
	return map[Kind]string{
		Changed: "differs from the commit", Missing: "is missing here", Untracked: "is in no commit",
		Outside: "is outside of the repository", Pointer: "is a pointer of Git LFS",
	}[k]
}

// Difference is a file that is not as the commit has it.
type Difference struct {
	// File is relative to the repository's root, with slashes; "../" begins one outside.
	File string
	Kind Kind
	// Reason is more than the kind says, with the way out; "" if there is no more.
	Reason string
	// Path is the absolute path without symlinks; "" outside of the repository.
	Path string
}

// Why is what is wrong with the file; "" for other content without a known reason.
func (d Difference) Why() string {
	switch {
	case d.Kind == Changed:
		return d.Reason
	case d.Reason != "":
		return "it " + d.Kind.String() + ": " + d.Reason
	}
	return "it " + d.Kind.String()
}

// File is a file to compare, by its absolute path. A folder is compared by its name alone.
type File struct {
	Path string
	// Link says that a symlink is taken for itself. Otherwise what it leads to counts too.
	Link bool
	// Asset says that the file is only copied, so that it need not be read again where it is
	// remembered. Others always are.
	Asset bool
}

// Compare returns the files that are not as the commit has them, sorted. A file that is
// neither there nor in the commit is as the commit has it. Many or large assets are
// remembered in the store; nil reads every file.
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

// Gone says of a path of Commit.Files that it is not there.
func Gone(file string) bool {
	info, err := os.Lstat(file)
	return err != nil || info.IsDir()
}

// named is the difference of a place, with its path; nil if there is none.
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
		return &Difference{Kind: Changed, Reason: "it is no regular file here"}, nil
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

// maxExplained is the size in bytes up to which a difference is looked into.
const maxExplained = 64 << 20

// explain finds out why the content is another one. The content of a file that Git LFS
// keeps is as committed if the commit has the pointer to it.
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
		return changed, nil // without its cause
	}
	content, err := os.ReadFile(at.file)
	if err != nil {
		return nil, fmt.Errorf("compare with the commit: %w", err)
	}
	unix := bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	switch at.entry.id {
	case at.commit.id(unix):
		changed.Reason = `its line ends differ: git made them CRLF; set core.autocrlf=false (git config core.autocrlf false) and check the files out again, or write "* -text" into .gitattributes`
	case at.commit.id(bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n"))):
		changed.Reason = `its line ends differ: they are CRLF in the commit; write "* -text" into .gitattributes and check the files out again`
	}
	return changed, nil
}

// pointerHead begins every pointer of Git LFS (https://git-lfs.github.com/spec/v1), and
// oldPointerHead the old ones, which it reads as well.
const (
	pointerHead    = "version https://git-lfs.github.com/spec/v1\n"
	oldPointerHead = "version https://hawser.github.com/spec/v1\n"
)

// maxPointer is the size in bytes that every pointer is below.
const maxPointer = 1024

func isPointer(head []byte, size int64) bool {
	return size < maxPointer && (bytes.HasPrefix(head, []byte(pointerHead)) || bytes.HasPrefix(head, []byte(oldPointerHead)))
}

// isPointedTo says whether the commit has the pointer of Git LFS to this content. The
// pointer follows from the content, so the blob need not be read.
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

// id is the object id of a blob, in hex.
func (c *Commit) id(content []byte) string {
	h := c.newHash()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// hashFile is the object id of a file's content, and the first bytes of it.
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
