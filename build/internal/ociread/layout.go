package ociread

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/limit"
)

// Folder is an OCI image layout (image-spec 1.1, image-layout.md). It does not check digests.
type Folder struct{ dirs []string }

// Layout returns the layout in a folder, or in several, of which the first has the newer files.
func Layout(dirs ...string) Folder { return Folder{dirs} }

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
	found, err := entries(raw, "manifests", most+1)
	if err != nil {
		return nil, 0, fmt.Errorf("read index.json: %w", err)
	}
	if len(found) > most {
		return nil, 0, fmt.Errorf("read index.json: it has more than %d entries", most)
	}
	all = descriptors(found)
	return all, len(found) - len(all), nil
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

// open opens a regular file: opening a pipe would wait for a writer, and a device has no end.
func (l Folder) open(name string) (*os.File, error) {
	var path string
	var info os.FileInfo
	err := fs.ErrNotExist
	for _, dir := range l.dirs {
		path = filepath.Join(dir, filepath.FromSlash(name))
		if info, err = os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is no regular file", name)
	}
	return os.Open(path)
}

var digestForm = regexp.MustCompile(`^[a-z0-9]+:[a-f0-9]{32,}$`)

// blobName returns the path of a blob below the layout. The digest may be from a file that was
// not checked.
func blobName(d v1.Hash) (string, error) {
	if !digestForm.MatchString(d.String()) {
		return "", fmt.Errorf("%q is no digest", d.String())
	}
	return "blobs/" + d.Algorithm + "/" + d.Hex, nil
}
