package compare

import (
	"archive/tar"
	"bytes"
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

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/limit"
)

// images compares two images: manifest, configuration, layers.
func (p *pair) images(ctx context.Context, a, b v1.Image) error {
	for _, of := range []struct {
		depth Depth
		raw   func(v1.Image) ([]byte, error)
	}{{DepthManifest, v1.Image.RawManifest}, {DepthConfig, v1.Image.RawConfigFile}} {
		x, err := of.raw(a)
		if err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		y, err := of.raw(b)
		if err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		if bytes.Equal(x, y) {
			continue
		}
		if err := p.documents(of.depth, p.image, p.platform, "", x, y); err != nil {
			return fmt.Errorf("read the %s: %w", of.depth, err)
		}
		if of.depth == DepthConfig {
			if err := p.settings(x, y); err != nil {
				return fmt.Errorf("read the %s: %w", of.depth, err)
			}
		}
	}
	x, err := layersOf(a)
	if err != nil {
		return err
	}
	y, err := layersOf(b)
	if err != nil {
		return err
	}
	return p.layers(ctx, x, y)
}

// imageLayer is a layer with the name that its image's history gives it.
type imageLayer struct {
	v1.Layer
	name           string
	digest, diffID v1.Hash
	media          types.MediaType
}

func layersOf(img v1.Image) ([]imageLayer, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, fmt.Errorf("read the layers: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	var names []string
	for _, h := range config.History {
		if !h.EmptyLayer {
			names = append(names, strings.TrimPrefix(h.CreatedBy, "thimble "))
		}
	}
	all := make([]imageLayer, len(layers))
	seen := map[string]bool{}
	for i, l := range layers {
		all[i].Layer = l
		if len(names) == len(layers) {
			all[i].name = short(names[i])
		}
		if all[i].name == "" || seen[all[i].name] {
			all[i].name = fmt.Sprintf("layer %d", i+1)
		}
		seen[all[i].name] = true
		if all[i].digest, err = l.Digest(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
		if all[i].diffID, err = l.DiffID(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
		if all[i].media, err = l.MediaType(); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", all[i].name, err)
		}
	}
	return all, nil
}

// layers compares the layers of one name; the first that differs is looked into, and
// so is the one with the binary, which says more of the cause than any other.
func (p *pair) layers(ctx context.Context, a, b []imageLayer) error {
	first := true
	for _, x := range a {
		at := slices.IndexFunc(b, func(y imageLayer) bool { return y.name == x.name })
		if at < 0 {
			if first {
				p.differ(DepthLayer, x.name, "", x.digest.String(), "")
			}
			first = false
			p.cause(CauseBase, "only %s has the layer %s", p.a.Name, x.name)
			continue
		}
		y := b[at]
		if x.digest == y.digest {
			continue
		}
		switch {
		case x.diffID == y.diffID:
			if first {
				p.differ(DepthLayer, x.name, "digest", x.digest.String(), y.digest.String())
			}
			if err := p.compressed(x, y); err != nil {
				return err
			}
		case first || x.name == "binary":
			p.differ(DepthLayer, x.name, "digest", x.digest.String(), y.digest.String())
			if err := p.files(ctx, x, y); err != nil {
				return fmt.Errorf("compare layer %s: %w", x.name, err)
			}
		}
		first = false
	}
	for _, y := range b {
		if slices.ContainsFunc(a, func(x imageLayer) bool { return x.name == y.name }) {
			continue
		}
		if first {
			p.differ(DepthLayer, y.name, "", "", y.digest.String())
		}
		first = false
		p.cause(CauseBase, "only %s has the layer %s", p.b.Name, y.name)
	}
	return nil
}

// compressed says how one content came to be two blobs.
func (p *pair) compressed(x, y imageLayer) error {
	if x.media != y.media {
		p.cause(CauseCompressor, "layer %s holds the same files, as %s / %s", x.name, x.media, y.media)
		return nil
	}
	a, err := head(x)
	if err != nil {
		return err
	}
	b, err := head(y)
	if err != nil {
		return err
	}
	if gzipped(a) && gzipped(b) && !bytes.Equal(a, b) {
		p.cause(CauseCompressor, "layer %s holds the same files, and its gzip header is another one: %s / %s", x.name, gzipHeader(a), gzipHeader(b))
		return nil
	}
	sizeX, err := x.Size()
	if err != nil {
		return err
	}
	sizeY, err := y.Size()
	if err != nil {
		return err
	}
	p.cause(CauseCompressor, "layer %s holds the same files, compressed by another library or at another level: %d / %d bytes", x.name, sizeX, sizeY)
	return nil
}

// head is the beginning of a compressed layer, as long as gzip's fixed header
// (RFC 1952, 2.3).
func head(l imageLayer) ([]byte, error) {
	r, err := l.Compressed()
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", l.name, err)
	}
	defer r.Close() // only read
	b := make([]byte, 10)
	n, err := io.ReadFull(r, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read layer %s: %w", l.name, err)
	}
	return b[:n], nil
}

func gzipped(b []byte) bool { return len(b) == 10 && b[0] == 0x1f && b[1] == 0x8b }

func gzipHeader(b []byte) string {
	when := uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24
	return fmt.Sprintf("flags %d, time %d, extra flags %d, system %d", b[3], when, b[8], b[9])
}

// file is an entry of a layer.
type file struct {
	header *tar.Header
	sum    string // of a regular file's content, in hex
	order  int
}

// What a damaged or hostile layer can make us keep, or read, is bounded: its files, the
// bytes of their names and attributes, and those of the layer and of what is in it, which
// may be sparse.
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

// tarOf is a tar, and what it is read from.
type tarOf struct {
	io.Reader
	content, packed io.Closer
}

func (t tarOf) Close() error { return errors.Join(t.content.Close(), t.packed.Close()) }

// names is how many bytes are kept of a header.
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

// files notes the first file in which two layers differ, and looks into it.
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
		p.cause(CauseMode, "layer %s has the same files, and its tar is written otherwise", x.name)
		return nil
	}
	p.differ(DepthFile, d.Where, d.What, d.A, d.B)
	switch d.What {
	case "content":
		return p.content(ctx, x, y, d.Where)
	case "mode", "owner", "type", "link", "attributes":
		p.cause(CauseMode, "%s has another %s: %s / %s", d.Where, d.What, d.A, d.B)
	case "time":
		p.cause(CauseTime, "%s has another time: %s / %s", d.Where, d.A, d.B)
	case "order":
		p.cause(CauseSource, "layer %s has the same files in another order", x.name)
	default:
		p.missing(x.name, d)
	}
	return nil
}

// missing is the cause of a file that one layer lacks.
func (p *pair) missing(layer string, d Difference) {
	has := p.a.Name
	if d.A == "" {
		has = p.b.Name
	}
	kind := CauseSource
	if layer != "binary" && layer != "assets" {
		kind = CauseBase
	}
	p.cause(kind, "only %s has %s", has, d.Where)
}

// firstFile is the first difference of two layers, in the first one's order.
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
	for _, name := range slices.SortedFunc(maps.Keys(b), func(x, y string) int { return b[x].order - b[y].order }) {
		if _, ok := a[name]; !ok {
			return Difference{Where: name, B: describe(b[name])}, true
		}
	}
	for _, name := range names {
		if x, y := a[name].order, b[name].order; x != y {
			return Difference{Where: name, What: "order", A: fmt.Sprint("entry ", x), B: fmt.Sprint("entry ", y)}, true
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

// attributes are the extended ones, such as capabilities.
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

// content looks into a file that differs.
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
	return p.contents(files[0], files[1], name, x.name)
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
		found = true // the last entry of a name is the one that counts
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
