package ociread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/plainfile"
)

// Folder is an OCI image layout (image-spec 1.1, image-layout.md). It does not check digests.
type Folder struct {
	// open opens a regular file by its name with slashes.
	open func(name string) (*os.File, error)
}

// Layout returns the layout in a folder, or in several, of which the first has the newer files.
// Its files may be links.
func Layout(dirs ...string) Folder {
	return Folder{func(name string) (f *os.File, err error) {
		err = fs.ErrNotExist
		for _, dir := range dirs {
			if f, err = plainfile.Open(filepath.Join(dir, filepath.FromSlash(name))); !errors.Is(err,
				fs.ErrNotExist) {
				break
			}
		}
		return f, err
	}}
}

// LayoutIn returns the layout in a folder below a root. No link of the layout leads out of the
// root.
func LayoutIn(root *os.Root, dir string) Folder {
	return Folder{func(name string) (*os.File, error) { return plainfile.OpenIn(root, path.Join(dir, name)) }}
}

// Index parses index.json: the images and their referrers. If the file is missing, the error is
// an fs.ErrNotExist.
func (l Folder) Index() (*v1.IndexManifest, []byte, error) {
	raw, err := l.read("index.json")
	if err != nil {
		return nil, nil, err
	}
	index, err := ParseIndex(raw)
	return index, raw, err
}

// Entries returns the valid entries of index.json, and the number of invalid ones. More than most
// entries are an error. If the file is missing, the error is an fs.ErrNotExist.
func (l Folder) Entries(most int) (all []v1.Descriptor, bad int, err error) {
	raw, err := l.read("index.json")
	if err != nil {
		return nil, 0, err
	}
	if all, bad, err = Entries(raw, most); err != nil {
		return nil, 0, fmt.Errorf("read index.json: %w", err)
	}
	return all, bad, nil
}

// Manifest reads a manifest or an index by its digest.
func (l Folder) Manifest(digest v1.Hash) ([]byte, error) {
	name, err := blobName(digest)
	if err != nil {
		return nil, err
	}
	return l.read(name)
}

// OpenBlob reads a blob: no more bytes than the descriptor says.
func (l Folder) OpenBlob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	name, err := blobName(d.Digest)
	if err != nil {
		return nil, err
	}
	f, err := l.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the layout: %w", d.Digest, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{limit.Bytes(limit.Reader(ctx, f), d.Size), f}, nil
}

func (l Folder) read(name string) ([]byte, error) {
	f, err := l.open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(limit.Bytes(f, MaxSize))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

var digestForm = regexp.MustCompile(`^[a-z0-9]+:[a-f0-9]{32,}$`)

// blobName returns the path of a blob below the layout. The digest may be from a file that was
// not checked.
func blobName(d v1.Hash) (string, error) {
	if !digestForm.MatchString(d.String()) {
		return "", fmt.Errorf("%q is not a digest", d.String())
	}
	return "blobs/" + d.Algorithm + "/" + d.Hex, nil
}
