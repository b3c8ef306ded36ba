package compare

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/report"
)

// file is an entry of a layer.
type file struct {
	header *tar.Header
	sum    string // of a regular file's content, in hex
	order  int
}

// Limits against a damaged or hostile layer: its files, the bytes of their names and attributes,
// and those of the layer and of its content, which may be sparse.
const (
	maxFiles = 200_000
	maxNames = 32 << 20
	maxLayer = 16 << 30
)

// open reads the tar of a layer.
func (l imageLayer) open(ctx context.Context) (io.ReadCloser, error) {
	packed, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	content, err := compress.NewReaderOfAny(limit.Bytes(limit.Reader(ctx, packed), maxLayer))
	if err != nil {
		return nil, errors.Join(err, packed.Close())
	}
	return tarOf{limit.Bytes(limit.Reader(ctx, content), maxLayer), content, packed}, nil
}

// tarOf is a tar and its underlying reader.
type tarOf struct {
	io.Reader
	content, packed io.Closer
}

func (t tarOf) Close() error { return errors.Join(t.content.Close(), t.packed.Close()) }

// names returns how many bytes of a header are kept.
func names(h *tar.Header) int {
	n := len(h.Name) + len(h.Linkname) + len(h.Uname) + len(h.Gname)
	for key, value := range h.PAXRecords {
		n += len(key) + len(value) + 32
	}
	return n
}

// readTar reads the entries of a layer.
func readTar(ctx context.Context, r io.Reader) (map[string]file, error) {
	files := map[string]file{}
	kept, left := 0, int64(maxLayer)
	for entries := tar.NewReader(r); ; {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		h, err := entries.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if kept += names(h); kept > maxNames {
			return nil, fmt.Errorf("its names come to more than %d MiB", maxNames>>20)
		}
		f := file{header: h, order: len(files)}
		if h.Typeflag == tar.TypeReg {
			if left -= h.Size; left < 0 {
				return nil, fmt.Errorf("its files: %w", limit.ErrTooLarge)
			}
			sum := sha256.New()
			if _, err := io.Copy(sum, limit.Reader(ctx, entries)); err != nil {
				return nil, err
			}
			f.sum = hex.EncodeToString(sum.Sum(nil))
		}
		if files[path.Join("/", h.Name)] = f; len(files) > maxFiles {
			return nil, fmt.Errorf("it has more than %d files", maxFiles)
		}
	}
}

func (l imageLayer) files(ctx context.Context) (map[string]file, error) {
	r, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	return readTar(ctx, r)
}

// files records the first file in which two layers differ, and compares its content.
func (p *pair) files(ctx context.Context, x, y imageLayer) error {
	a, err := x.files(ctx)
	if err != nil {
		return err
	}
	b, err := y.files(ctx)
	if err != nil {
		return err
	}
	d, ok := firstFile(a, b)
	if !ok {
		p.cause(report.CauseMode, "layer %s has the same files, but its tar is written in another way",
			x.name)
		return nil
	}
	p.differ(report.DepthFile, d.Where, d.What, d.A, d.B)
	switch d.What {
	case "content":
		return p.content(ctx, x, y, d.Where)
	case "mode", "owner", "type", "link", "attributes":
		p.cause(report.CauseMode, "%s has another %s: %s / %s", d.Where, d.What, d.A, d.B)
	case "time":
		p.cause(report.CauseTime, "%s has another time: %s / %s", d.Where, d.A, d.B)
	case "order":
		p.cause(report.CauseSource, "layer %s has the same files in another order", x.name)
	default:
		p.missing(x.name, d)
	}
	return nil
}

// missing records the cause of a file that one layer lacks.
func (p *pair) missing(layer string, d Difference) {
	has := p.a.Name
	if d.A == "" {
		has = p.b.Name
	}
	kind := report.CauseSource
	if layer != "binary" && layer != "assets" {
		kind = report.CauseBase
	}
	p.cause(kind, "only %s has %s", has, d.Where)
}

// firstFile returns the first difference of two layers, in the order of the first layer.
func firstFile(a, b map[string]file) (Difference, bool) {
	names := slices.SortedFunc(maps.Keys(a), func(x, y string) int { return a[x].order - a[y].order })
	for _, name := range names {
		x := a[name]
		y, ok := b[name]
		if !ok {
			return Difference{Where: name, A: describe(x)}, true
		}
		for _, of := range []struct{ what, a, b string }{
			{"type", typeOf(x), typeOf(y)},
			{"link", x.header.Linkname, y.header.Linkname},
			{"content", content(x), content(y)},
			{"mode", fmt.Sprintf("%#o", x.header.Mode), fmt.Sprintf("%#o", y.header.Mode)},
			{"owner", owner(x), owner(y)},
			{"attributes", attributes(x), attributes(y)},
			{"time", when(x), when(y)},
		} {
			if of.a != of.b {
				return Difference{Where: name, What: of.what, A: of.a, B: of.b}, true
			}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(b),
		func(x, y string) int { return b[x].order - b[y].order }) {
		if _, ok := a[name]; !ok {
			return Difference{Where: name, B: describe(b[name])}, true
		}
	}
	for _, name := range names {
		if x, y := a[name].order, b[name].order; x != y {
			return Difference{Where: name, What: "order", A: fmt.Sprint("entry ", x),
				B: fmt.Sprint("entry ", y)}, true
		}
	}
	return Difference{}, false
}

func describe(f file) string {
	return fmt.Sprintf("%s, %d bytes, mode %#o", typeOf(f), f.header.Size, f.header.Mode)
}

func content(f file) string {
	if f.sum == "" {
		return ""
	}
	return fmt.Sprintf("%d bytes, sha256:%s", f.header.Size, f.sum)
}

func owner(f file) string {
	o := fmt.Sprintf("%d:%d", f.header.Uid, f.header.Gid)
	if f.header.Uname != "" || f.header.Gname != "" {
		o += fmt.Sprintf(" (%s:%s)", short(f.header.Uname), short(f.header.Gname))
	}
	return o
}

// attributes returns the extended attributes, such as capabilities.
func attributes(f file) string {
	var all []string
	for key, value := range f.header.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			all = append(all, fmt.Sprintf("%s=%x", short(name), value))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func when(f file) string { return f.header.ModTime.UTC().Format(time.RFC3339Nano) }

func typeOf(f file) string {
	switch f.header.Typeflag {
	case tar.TypeReg:
		return "file"
	case tar.TypeDir:
		return "folder"
	case tar.TypeSymlink:
		return "symbolic link"
	case tar.TypeLink:
		return "hard link"
	}
	return fmt.Sprintf("type %q", f.header.Typeflag)
}

// content compares the content of a file that differs.
func (p *pair) content(ctx context.Context, x, y imageLayer, name string) error {
	var files [2]*os.File
	defer func() {
		for _, f := range files {
			if f != nil {
				f.Close() // only read since
				os.Remove(f.Name())
			}
		}
	}()
	for i, l := range []imageLayer{x, y} {
		var err error
		if files[i], err = l.extract(ctx, name, p.tmp); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return p.contents(ctx, files[0], files[1], name, x.name)
}

// maxExtracted bounds a file that is copied out of a layer, in bytes.
const maxExtracted = 4 << 30

// extract copies one regular file of a layer into a temporary file.
func (l imageLayer) extract(ctx context.Context, name, tmp string) (f *os.File, err error) {
	r, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	if f, err = os.CreateTemp(tmp, "compare-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
			f = nil
		}
	}()
	found := false
	for entries := tar.NewReader(r); ; {
		if err := context.Cause(ctx); err != nil {
			return f, err
		}
		h, err := entries.Next()
		if err == io.EOF && found {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		if h.Typeflag != tar.TypeReg || path.Join("/", h.Name) != name {
			continue
		}
		found = true // of several entries with a name, the last one counts
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return f, err
		}
		if err := f.Truncate(0); err != nil {
			return f, err
		}
		if h.Size > maxExtracted {
			return f, limit.ErrTooLarge
		}
		if _, err := io.Copy(f, limit.Reader(ctx, entries)); err != nil {
			return f, err
		}
	}
}
