package baseimage

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

const (
	// maxMembers bounds the files of a docker archive: an image has three for each layer.
	maxMembers = 10_000
	// maxArchiveManifest bounds manifest.json, in bytes.
	maxArchiveManifest = 1 << 20
)

// dockerArchive is one image in a file of `docker save`. Files in it may be links to others in
// it: Docker writes them for repeated layers.
type dockerArchive struct {
	path    string
	members map[string]member
	// config and layers are names in the archive.
	config string
	layers []string
}

// member is a file of the archive, or a link to one.
type member struct {
	size int64
	link string
}

// openArchive reads the list of files in an archive.
func openArchive(ctx context.Context, path string) (*dockerArchive, error) {
	a := &dockerArchive{path: path, members: map[string]member{}}
	if err := a.list(ctx); err != nil {
		return nil, err
	}
	raw, err := a.read(ctx, "manifest.json", maxArchiveManifest)
	if err != nil {
		return nil, err
	}
	var images []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(raw, &images); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("it contains %d images; save only one", len(images))
	}
	if a.config, a.layers = images[0].Config, images[0].Layers; len(a.layers) > ociread.MaxEntries {
		return nil, fmt.Errorf("it has more than %d layers", ociread.MaxEntries)
	}
	return a, nil
}

// tar opens the archive from its beginning.
func (a *dockerArchive) tar(ctx context.Context) (*os.File, *tar.Reader, int64, error) {
	info, err := os.Stat(a.path)
	if err != nil {
		return nil, nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, 0, errors.New("it is not a regular file")
	}
	f, err := os.Open(a.path)
	if err != nil {
		return nil, nil, 0, err
	}
	return f, tar.NewReader(seeking{limit.Reader(ctx, f), f}), info.Size(), nil
}

// seeking lets a tar reader skip data without reading it.
type seeking struct {
	io.Reader
	io.Seeker
}

func (a *dockerArchive) list(ctx context.Context) error {
	f, t, size, err := a.tar(ctx)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	names := 0
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if names += len(h.Name) + len(h.Linkname); len(a.members) == maxMembers || names > 8<<20 {
			return fmt.Errorf("it has more than %d files, or too long names", maxMembers)
		}
		if h.Size > size {
			return fmt.Errorf("%.100q has %d bytes, more than the archive: sparse files are not supported",
				h.Name, h.Size)
		}
		m := member{size: h.Size}
		if h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
			m.link = path.Join(path.Dir(path.Clean(h.Name)), h.Linkname)
			if h.Typeflag == tar.TypeLink { // relative to the archive's root; Docker's are in the same folder
				if _, ok := a.members[path.Clean(h.Linkname)]; ok {
					m.link = path.Clean(h.Linkname)
				}
			}
		}
		if _, twice := a.members[path.Clean(h.Name)]; !twice {
			a.members[path.Clean(h.Name)] = m
		}
	}
}

// find returns the offset of a file's content, and its size.
func (a *dockerArchive) find(name string) (string, int64, error) {
	at := path.Clean(name)
	for range 10 {
		m, ok := a.members[at]
		if !ok {
			return "", 0, fmt.Errorf("it has no %.100q", name)
		}
		if m.link == "" {
			return at, m.size, nil
		}
		at = m.link
	}
	return "", 0, fmt.Errorf("%.100q is a broken link", name)
}

// open opens a file of the archive.
func (a *dockerArchive) open(ctx context.Context, name string) (io.ReadCloser, error) {
	at, _, err := a.find(name)
	if err != nil {
		return nil, err
	}
	f, t, _, err := a.tar(ctx)
	if err != nil {
		return nil, err
	}
	for {
		h, err := t.Next()
		if err == io.EOF {
			err = fmt.Errorf("%.100q is gone", name)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if path.Clean(h.Name) == at {
			return struct {
				io.Reader
				io.Closer
			}{limit.Reader(ctx, t), f}, nil
		}
	}
}

// read reads a small file of the archive.
func (a *dockerArchive) read(ctx context.Context, name string, most int64) ([]byte, error) {
	r, err := a.open(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(limit.Bytes(r, most))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%.100q: %w", name, err)
	}
	return b, nil
}
