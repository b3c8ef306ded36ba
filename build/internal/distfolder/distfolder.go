// Package distfolder reads the output folder of a build that need not be trusted: its files are
// regular, in the folder, and not larger than allowed. It reads the manifest.json, and the layouts,
// binaries and documents that it lists, and compares two such folders.
package distfolder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/plainfile"
)

const (
	// MaxDocument is the largest document that is read, in bytes: a service's SBOM has a few
	// hundred KiB.
	MaxDocument = 16 << 20
	// maxTotal limits everything that is read into memory, in bytes: SBOMs of 200 images.
	maxTotal = 128 << 20
	// maxEntries limits the entries that are read from an index.json.
	maxEntries = 30_000
)

// Folder is an output folder. It is not safe for concurrent use.
type Folder struct {
	root *os.Root
	// dir is the folder below the root, with slashes.
	dir string
	// left is how many bytes may still be read into memory.
	left int64
}

// Open opens the folder dir, a path below root. No link leads out of root. The caller closes it
// after the last use of an image in it.
func Open(root, dir string) (*Folder, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	return &Folder{root: r, dir: filepath.ToSlash(dir), left: maxTotal}, nil
}

// Close ends the use of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// below returns the path of a file below the root.
func (f *Folder) below(name string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", fmt.Errorf("%q is not in the output folder", name)
	}
	return path.Join(f.dir, filepath.ToSlash(name)), nil
}

// Read reads a file of at most this many bytes.
func (f *Folder) Read(name string, most int64) ([]byte, error) {
	at, err := f.below(name)
	if err != nil {
		return nil, err
	}
	b, err := plainfile.ReadIn(f.root, at, min(most, f.left))
	if errors.Is(err, limit.ErrTooLarge) && f.left < most {
		return nil, fmt.Errorf("read the output folder: %w: more than %d MiB",
			limit.ErrTooLarge, maxTotal>>20)
	}
	f.left -= int64(len(b))
	return b, err
}

// Open opens a file.
func (f *Folder) Open(name string) (*os.File, error) {
	at, err := f.below(name)
	if err != nil {
		return nil, err
	}
	return plainfile.OpenIn(f.root, at)
}

// Index is an image index in a layout.
type Index struct {
	// Raw is the index as it is stored.
	Raw []byte

	folder *Folder
	layout string
	parsed *v1.IndexManifest
}

// Index returns the index with a digest in a layout. It returns nil if there is no such layout, or
// if it contains another image.
func (f *Folder) Index(layout, digest string) (*Index, error) {
	index, err := f.index(layout, digest)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", layout, err)
	}
	return index, nil
}

func (f *Folder) index(layout, digest string) (*Index, error) {
	marker, err := f.Open(path.Join(layout, "oci-layout"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = marker.Close()
	}
	if err != nil {
		return nil, err
	}
	h, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	list, err := f.Read(path.Join(layout, "index.json"), ociread.MaxSize)
	if err != nil {
		return nil, err
	}
	entries, err := ociread.Listed(list, maxEntries)
	if err != nil {
		return nil, err
	}
	for _, d := range entries {
		if d.Digest != h || !d.MediaType.IsIndex() {
			continue
		}
		raw, err := f.manifest(layout, h)
		if err != nil {
			return nil, err
		}
		parsed, err := ociread.ParseIndex(raw)
		if err != nil {
			return nil, err
		}
		return &Index{Raw: raw, folder: f, layout: layout, parsed: parsed}, nil
	}
	return nil, nil
}

// manifest reads a manifest or an index of a layout.
func (f *Folder) manifest(layout string, h v1.Hash) ([]byte, error) {
	raw, err := f.Read(path.Join(layout, "blobs", h.Algorithm, h.Hex), ociread.MaxSize)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(raw); h.Algorithm != "sha256" || hex.EncodeToString(sum[:]) != h.Hex {
		return nil, fmt.Errorf("read %s: its content is sha256:%x", h, sum)
	}
	return raw, nil
}

// Image returns an image of the index. Its layers are read when they are needed, until ctx ends.
func (i *Index) Image(ctx context.Context, digest string) (v1.Image, error) {
	for _, d := range i.parsed.Manifests {
		if d.Digest.String() != digest {
			continue
		}
		raw, err := i.folder.manifest(i.layout, d.Digest)
		if err == nil {
			from := ociread.LayoutIn(i.folder.root, path.Join(i.folder.dir, i.layout))
			return ociread.Stream(ctx, from, raw, d.MediaType)
		}
		return nil, fmt.Errorf("read layout %s: %w", i.layout, err)
	}
	return nil, fmt.Errorf("read layout %s: its index has no image %s", i.layout, digest)
}
