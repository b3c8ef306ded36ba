package store

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/compress"
	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

// MaxLayer limits what is read of a layer, in bytes: of the compressed layer, of the tar, and
// of the executable, which may be in it several times, or sparse.
const MaxLayer = 16 << 30

// Binary returns the SHA-256, in hex, of the executable that an image starts: the file of its
// entrypoint, in the topmost layer that contains it. It is empty if there is none, as in images
// of other tools. raw is the image's manifest.
func Binary(ctx context.Context, from ociread.Blobs, of v1.Hash, raw []byte) (string, error) {
	sum, err := findBinary(ctx, from, raw)
	if err != nil {
		return "", fmt.Errorf("read the binary of %s: %w", of, distribution.Plain(err))
	}
	return sum, nil
}

func findBinary(ctx context.Context, from ociread.Blobs, raw []byte) (string, error) {
	manifest, err := ociread.ParseImage(raw)
	if err != nil {
		return "", err
	}
	content, err := ociread.Blob(ctx, from, manifest.Config, ociread.MaxSize)
	if err != nil {
		return "", err
	}
	var image struct {
		Config struct{ Entrypoint, Cmd []string } `json:"config"`
	}
	if err := json.Unmarshal(content, &image); err != nil {
		return "", fmt.Errorf("read the configuration: %w", err)
	}
	command := append(image.Config.Entrypoint, image.Config.Cmd...)
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return "", nil
	}
	name := path.Clean(command[0])
	for range maxLinks {
		sum, link, err := fileOf(ctx, from, manifest.Layers, name)
		if link == "" || err != nil {
			return sum, err
		}
		if !path.IsAbs(link) {
			link = path.Join(path.Dir(name), link)
		}
		name = path.Clean(link)
	}
	return "", nil
}

// maxLinks is how many symlinks may lead to the executable.
const maxLinks = 8

// fileOf returns the SHA-256 of a regular file, or the target of a symlink, in the topmost layer that
// contains it. Both are empty if no layer does.
func fileOf(ctx context.Context, from ociread.Blobs, layers []v1.Descriptor,
	name string) (sum, link string, err error) {
	for _, layer := range slices.Backward(layers) {
		sum, link, err := fileIn(ctx, from, layer, name, MaxLayer)
		if err != nil {
			return "", "", fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
		if sum != "" || link != "" {
			return sum, link, nil
		}
	}
	return "", "", nil
}

// fileIn returns the SHA-256 of a regular file in a layer, or the target of a symlink; empty if it is
// not there. If there are several, it is that of the last, which wins when unpacked. The layer is
// read to its end, because only then its digest is verified.
func fileIn(ctx context.Context, from ociread.Blobs, d v1.Descriptor, name string,
	most int64) (found, link string, err error) {
	blob, err := from.OpenBlob(ctx, d)
	if err != nil {
		return "", "", err
	}
	defer blob.Close() // only read
	packed := limit.Bytes(limit.Reader(ctx, blob), most)
	content, err := compress.NewReaderOfAny(packed)
	if err != nil {
		return "", "", err
	}
	defer content.Close() // only read
	unpacked := limit.Bytes(limit.Reader(ctx, content), most)
	hashed := most
	for files := tar.NewReader(unpacked); ; {
		h, err := files.Next()
		if err == io.EOF {
			if _, err = io.Copy(io.Discard, unpacked); err == nil {
				_, err = io.Copy(io.Discard, packed)
			}
			return found, link, err
		}
		if err != nil {
			return "", "", err
		}
		if path.Join("/", h.Name) != name {
			continue
		}
		if h.Typeflag == tar.TypeSymlink {
			found, link = "", h.Linkname
			continue
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > hashed {
			return "", "", fmt.Errorf("%s: %w", name, limit.ErrTooLarge)
		}
		hashed -= h.Size
		sum := sha256.New()
		if _, err := io.Copy(sum, limit.Reader(ctx, files)); err != nil {
			return "", "", err
		}
		found, link = hex.EncodeToString(sum.Sum(nil)), ""
	}
}
