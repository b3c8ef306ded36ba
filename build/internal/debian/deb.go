package debian

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/thimble-build/thimble/build/internal/compress"
)

// Limits for one package. Debian's largest libraries are well within them.
const (
	maxDownload = 1 << 30   // bytes of a .deb
	maxControl  = 16 << 20  // bytes of its control files together
	maxWindow   = 128 << 20 // bytes of the memory that zstd requests
	maxNames    = 32 << 20  // bytes of the names in its tar; libllvm has 20 KiB
)

// Further limits: the bytes of its files together, and the entries of its tar.
var (
	maxUnpacked int64 = 2 << 30
	maxEntries        = 200_000
)

// archive reads the members of a .deb in order: an ar archive of debian-binary, control.tar and
// data.tar, the latter two compressed (deb(5)).
type archive struct {
	r    *bufio.Reader
	left int64 // bytes of the current member, with its padding
}

func openArchive(r io.Reader) (*archive, error) {
	a := &archive{r: bufio.NewReaderSize(r, 64<<10)}
	magic := make([]byte, 8)
	if _, err := io.ReadFull(a.r, magic); err != nil || string(magic) != "!<arch>\n" {
		return nil, errors.New("it is not an ar archive")
	}
	name, content, err := a.next()
	if err != nil {
		return nil, err
	}
	version, err := io.ReadAll(io.LimitReader(content, 16))
	if err != nil {
		return nil, err
	}
	if name != "debian-binary" || !strings.HasPrefix(string(version), "2.") {
		return nil, fmt.Errorf("it begins with %.20q, %.20q, so it is not a package of format 2", name,
			version)
	}
	return a, nil
}

// next goes to the next member; io.EOF says that there is none.
func (a *archive) next() (name string, content io.Reader, err error) {
	if _, err := io.CopyN(io.Discard, a.r, a.left); err != nil {
		return "", nil, cutOff(err)
	}
	header := make([]byte, 60)
	if _, err := io.ReadFull(a.r, header); err != nil {
		if err == io.EOF {
			return "", nil, io.EOF
		}
		return "", nil, cutOff(err)
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(header[58:]) != "`\n" {
		return "", nil, errors.New("its ar archive has a broken header")
	}
	a.left = size + size&1
	name = strings.TrimSuffix(strings.TrimRight(string(header[:16]), " "), "/")
	return name, &member{a, size}, nil
}

// find goes on to the member that is called stem with the suffix of a compression, and
// returns its content without that.
func (a *archive) find(stem string) (io.ReadCloser, error) {
	for {
		name, content, err := a.next()
		if err == io.EOF {
			return nil, fmt.Errorf("it has no %s", stem)
		}
		if err != nil {
			return nil, err
		}
		if suffix, ok := strings.CutPrefix(name, stem); ok && (suffix == "" || suffix == path.Ext(name)) {
			r, err := decompress(content, suffix)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return r, nil
		}
		if !strings.HasPrefix(name, "_") { // such are for others
			return nil, fmt.Errorf("it has %.20q where %s should be", name, stem)
		}
	}
}

// member is the content of a member.
type member struct {
	a    *archive
	left int64
}

func (m *member) Read(p []byte) (int, error) {
	if m.left == 0 {
		return 0, io.EOF
	}
	n, err := m.a.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	m.a.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// decompress reads what was compressed as a file's suffix says.
func decompress(r io.Reader, suffix string) (io.ReadCloser, error) {
	switch suffix {
	case "":
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(r)
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case ".xz":
		x, err := compress.NewXZReader(r)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(x), nil
	}
	return nil, fmt.Errorf("compression %q is unknown; supported are .xz, .zst and .gz", suffix)
}

func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("it is truncated")
	}
	return err
}
