package compare

import (
	"io"
	"os"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// maxInfo limits what is read to find the build info, in bytes. Without its section, it is searched
// for in all data.
const maxInfo = 64 << 20

// sectionBytes returns how many bytes the sections of a file may have. Debug information is often
// compressed, and sections may overlap.
func sectionBytes(file int64) uint64 { return max(8*uint64(file), 64<<20) }

// larger returns the size of the larger file, in bytes.
func larger(a, b *os.File) (int64, error) {
	x, err := a.Stat()
	if err != nil {
		return 0, err
	}
	y, err := b.Stat()
	if err != nil {
		return 0, err
	}
	return max(x.Size(), y.Size()), nil
}

// bounded is a file of which only some bytes are read.
type bounded struct {
	r    io.ReaderAt
	left int64
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, limit.ErrTooLarge
	}
	return b.r.ReadAt(p, at)
}

// seeker is a file whose reads end with a context.
type seeker struct {
	io.Reader
	io.Seeker
}
