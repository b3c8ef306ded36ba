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
	for i := len(manifest.Layers) - 1; i >= 0; i-- {
		sum, err := fileIn(ctx, from, manifest.Layers[i], path.Clean(command[0]), MaxLayer)
		if err != nil {
			return "", fmt.Errorf("layer %s: %w", manifest.Layers[i].Digest, err)
		}
		if sum != "" {
			return sum, nil
		}
	}
	return "", nil
}

// fileIn returns the SHA-256 of a regular file in a layer; empty if it is not there. If there
// are several, it is that of the last, which wins when unpacked. The layer is read to its end,
// because only then its digest is verified.
func fileIn(ctx context.Context, from ociread.Blobs, d v1.Descriptor, name string, most int64) (found string, err error) {
	blob, err := from.OpenBlob(ctx, d)
	if err != nil {
		return "", err
	}
	defer blob.Close() // only read
	packed := limit.Bytes(limit.Reader(ctx, blob), most)
	content, err := compress.NewReaderOfAny(packed)
	if err != nil {
		return "", err
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
			return found, err
		}
		if err != nil {
			return "", err
		}
		if h.Typeflag != tar.TypeReg || path.Join("/", h.Name) != name {
			continue
		}
		if h.Size > hashed {
			return "", fmt.Errorf("%s: %w", name, limit.ErrTooLarge)
		}
		hashed -= h.Size
		sum := sha256.New()
		if _, err := io.Copy(sum, limit.Reader(ctx, files)); err != nil {
			return "", err
		}
		found = hex.EncodeToString(sum.Sum(nil))
	}
}
