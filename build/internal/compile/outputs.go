package compile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/filesum"
)

// Outputs are the files that the compiler and the linker wrote in one run. They stay open until
// Close, so what was read of a file stays readable if its path gets another file.
type Outputs struct {
	// HashAll hashes every file that is used, and again while it is read.
	HashAll bool

	ends    context.Context
	cache   *cache.Cache
	version string

	mu         sync.Mutex
	open       []*os.File
	background sync.WaitGroup
}

// NewOutputs returns no outputs. All reading ends with ctx. The cache remembers what the linker
// wrote, and, for each cacheVersion separately, what was found out about it.
func NewOutputs(ctx context.Context, c *cache.Cache, cacheVersion string) *Outputs {
	return &Outputs{ends: ctx, cache: c, version: cacheVersion}
}

// Close waits until nothing reads the files, and closes them.
func (o *Outputs) Close() {
	o.background.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.open {
		f.Close() // they were only read
	}
	o.open = nil
}

// openFile opens a file until Close.
func (o *Outputs) openFile(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	o.mu.Lock()
	o.open = append(o.open, f)
	o.mu.Unlock()
	info, err := f.Stat()
	return f, info, err
}

func (o *Outputs) linked() Linked { return Linked{Cache: o.cache} }

// Output is a file of the compiler's folder, and its hash.
type Output struct {
	// SHA256 is in hex, Size in bytes.
	SHA256 string
	Size   int64

	file *os.File
	info fs.FileInfo
}

// File returns the open file. The caller must not close it.
func (f *Output) File() *os.File { return f.file }

// Open reads the file. If reading ends without an error, the content is what was hashed.
func (f *Output) Open() (io.ReadCloser, error) {
	content := io.NewSectionReader(f.file, 0, f.Size)
	return io.NopCloser(filesum.Verify(content, f.Size, func() (string, error) { return f.SHA256, nil })), nil
}

// Make returns the file that make writes to the path. make may keep a file of an earlier run, so
// Make first removes a file that differs from what that run made.
func (o *Outputs) Make(ctx context.Context, path string, make func() error) (*Output, error) {
	before, err := o.read(ctx, path)
	if err != nil {
		return nil, err
	}
	if before == nil || !o.linked().Has(path, before.SHA256) {
		before = nil
		if err := o.linked().Remove(path); err != nil {
			return nil, err
		}
	}
	if err := make(); err != nil {
		return nil, err
	}
	after, err := o.read(ctx, path)
	if err != nil {
		return nil, err
	}
	if after == nil {
		return nil, fmt.Errorf("read %s: the go command did not write it", path)
	}
	if before != nil && os.SameFile(before.info, after.info) && before.SHA256 != after.SHA256 {
		return nil, fmt.Errorf("%s was changed while it was used; run it again", path)
	}
	o.linked().Note(path, after.SHA256)
	return after, nil
}

// read opens and hashes a file; it returns nil if there is none.
func (o *Outputs) read(ctx context.Context, path string) (*Output, error) {
	f, info, err := o.openFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	made := &Output{file: f, info: info, Size: info.Size()}
	made.SHA256, err = o.cache.Sums().Of(ctx, f)
	return made, err
}
