package debiantest

import (
	"archive/tar"
	"bytes"
	"crypto/md5"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Package is the content of a .deb.
type Package struct {
	Name, Version string
	Architecture  string // "all" if empty
	// Fields are further lines of the control file, such as "Depends: libc6".
	Fields []string
	Files  []Entry
	// Compression of its tars: "gz" (if empty), "xz", "zst" or "none".
	Compression string
}

// Entry is an entry of data.tar, with Content in place of Header.Size.
type Entry struct {
	tar.Header
	Content string
	// Zeros is the size of a file of zeros; only together with compression zst.
	Zeros int64
}

// File returns a regular file.
func File(name, content string) Entry {
	return Entry{Header: tar.Header{Name: "./" + name, Typeflag: tar.TypeReg, Mode: 0o644}, Content: content}
}

// Folder returns a folder.
func Folder(name string) Entry {
	return Entry{Header: tar.Header{Name: "./" + name + "/", Typeflag: tar.TypeDir, Mode: 0o755}}
}

// Link returns a link of the type (tar.TypeSymlink or tar.TypeLink) to the unchanged target.
func Link(typeflag byte, name, target string) Entry {
	return Entry{Header: tar.Header{Name: name, Typeflag: typeflag, Linkname: target, Mode: 0o777}}
}

func (p Package) architecture() string {
	if p.Architecture == "" {
		return "all"
	}
	return p.Architecture
}

// Control returns the package's control file.
func (p Package) Control() string {
	lines := []string{
		"Package: " + p.Name, "Version: " + p.Version, "Architecture: " + p.architecture(),
		"Maintainer: Test Maintainers <test@example.com>", "Description: " + p.Name,
	}
	return strings.Join(slices.Concat(lines, p.Fields), "\n") + "\n"
}

// Deb makes the .deb.
func (p Package) Deb(t testing.TB) []byte {
	t.Helper()
	var sums strings.Builder
	for _, f := range p.Files {
		if f.Typeflag == tar.TypeReg {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum([]byte(f.Content)), strings.TrimPrefix(f.Name, "./"))
		}
	}
	control := []Entry{File("control", p.Control()), File("md5sums", sums.String())}
	suffix := map[string]string{"": ".gz", "xz": ".xz", "zst": ".zst", "gz": ".gz", "none": ""}[p.Compression]
	return Ar(
		"debian-binary", []byte("2.0\n"),
		"control.tar"+suffix, Tar(t, suffix, control),
		"data.tar"+suffix, Tar(t, suffix, p.Files),
	)
}

// Ar makes an ar archive of names (strings) and contents (byte slices).
func Ar(members ...any) []byte {
	out := []byte("!<arch>\n")
	for i := 0; i < len(members); i += 2 {
		content := members[i+1].([]byte)
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", members[i], 0, 0, 0, "100644", len(content))
		out = append(out, content...)
		if len(content)%2 == 1 {
			out = append(out, '\n')
		}
	}
	return out
}

// Tar makes a tar and compresses it as the suffix says.
func Tar(t testing.TB, suffix string, entries []Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	var c io.WriteCloser
	var err error
	switch suffix {
	case ".xz":
		c, err = xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&out)
	case ".zst":
		c, err = zstd.NewWriter(&out)
	case ".gz":
		c = gzip.NewWriter(&out)
	default:
		c = nopCloser{&out}
	}
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(c)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.Content)) + e.Zeros
		if h.Typeflag != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if e.Zeros > 0 {
			// Zeros are whole frames, which are made once: a bomb costs nothing.
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			out.Write(bytes.Repeat(frame(t), int(e.Zeros/frameSize)))
			enc := c.(*zstd.Encoder)
			enc.Reset(&out)
			w = tar.NewWriter(c)
			continue
		}
		if h.Size == 0 {
			continue
		}
		if _, err := io.WriteString(w, e.Content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const frameSize = 16 << 20

// frame is a zstd frame of frameSize zeros.
func frame(t testing.TB) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.EncodeAll(make([]byte, frameSize), nil)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
