package build

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/registry"
)

// binaryIn is the SHA-256, in hex, of the executable that an image starts: the file
// that its entrypoint names, in the topmost layer that has it; empty where there is none,
// as in images that were made by others.
func binaryIn(ctx context.Context, of v1.Descriptor, open func(v1.Hash) (v1.Image, error)) (string, error) {
	sum, err := findBinary(ctx, of.Digest, open)
	if err != nil {
		return "", fmt.Errorf("read the binary of %s: %w", of.Digest, registry.Plain(err))
	}
	return sum, nil
}

func findBinary(ctx context.Context, digest v1.Hash, open func(v1.Hash) (v1.Image, error)) (string, error) {
	img, err := open(digest)
	if err != nil {
		return "", err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", err
	}
	command := append(config.Config.Entrypoint, config.Config.Cmd...)
	if len(command) == 0 || !path.IsAbs(command[0]) {
		return "", nil
	}
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	for i := len(layers) - 1; i >= 0; i-- {
		if sum, err := fileIn(ctx, layers[i], path.Clean(command[0])); err != nil || sum != "" {
			return sum, err
		}
	}
	return "", nil
}

// fileIn is the SHA-256 of a regular file of a layer; empty if it is not there. Of several
// the last counts, as for whoever unpacks it. The layer is read to its end: only then is
// its digest known to be right.
func fileIn(ctx context.Context, layer v1.Layer, name string) (found string, err error) {
	content, err := layer.Uncompressed()
	if err != nil {
		return "", err
	}
	defer content.Close() // only read
	for files := tar.NewReader(content); ; {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		h, err := files.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, content)
			return found, err
		}
		if err != nil {
			return "", err
		}
		if h.Typeflag != tar.TypeReg || path.Join("/", h.Name) != name {
			continue
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, files); err != nil {
			return "", err
		}
		found = hex.EncodeToString(sum.Sum(nil))
	}
}
