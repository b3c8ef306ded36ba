package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
)

// layoutOf says whether a reference means an OCI layout, and in which folder. What begins
// with a registry's name means the registry, whatever lies in a folder of that name.
func (s *settled) layoutOf(ref string) (dir string, ok bool) {
	if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
		return s.abs(dir), true
	}
	first, _, path := strings.Cut(filepath.ToSlash(ref), "/")
	registry := path && first != "." && first != ".." && (strings.ContainsAny(first, ".:") || first == "localhost")
	if registry && !filepath.IsAbs(ref) {
		return "", false
	}
	return s.abs(ref), isLayout(s.abs(ref))
}

func isLayout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "oci-layout"))
	return err == nil
}

// materialInLayout reads a layout that holds one image or index, and what is about it.
func materialInLayout(dir string) (attest.Material, error) {
	fail := func(err error) (attest.Material, error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = fs.ErrNotExist
		}
		return attest.Material{}, fmt.Errorf("read layout %s: %w", dir, err)
	}
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return fail(err)
	}
	list, err := top.IndexManifest()
	if err != nil {
		return fail(err)
	}
	if len(list.Manifests) == 0 {
		return fail(errors.New("it is empty"))
	}
	read := func(to *attest.Manifest, d v1.Descriptor) error {
		raw, err := layout.Path(dir).Bytes(d.Digest)
		if err != nil {
			return err
		}
		to.Descriptor, to.Raw = d, raw
		to.Stored, err = storedInLayout(dir, d.Digest)
		return err
	}
	m := attest.Material{Name: dir}
	if err := read(&m.Root, list.Manifests[0]); err != nil {
		return fail(err)
	}
	subjects := []v1.Hash{m.Root.Descriptor.Digest}
	if m.Root.Descriptor.MediaType.IsIndex() {
		index, err := v1.ParseIndexManifest(bytes.NewReader(m.Root.Raw))
		if err != nil {
			return fail(err)
		}
		m.Children = make([]attest.Manifest, len(index.Manifests))
		for i, d := range index.Manifests {
			if err := read(&m.Children[i], d); err != nil {
				return fail(err)
			}
			subjects = append(subjects, d.Digest)
		}
	}
	for _, d := range list.Manifests[1:] {
		about, err := isAbout(dir, d, subjects)
		if err != nil {
			return fail(err)
		}
		if !about {
			return fail(fmt.Errorf("it holds several images, %s and %s; only one that is alone can be verified", m.Root.Descriptor.Digest, d.Digest))
		}
	}
	return m, nil
}

// isAbout says whether a manifest of a layout is about one of the subjects, and so no
// image that could be taken for the one that is verified.
func isAbout(dir string, d v1.Descriptor, subjects []v1.Hash) (bool, error) {
	name := d.Annotations[imagespec.AnnotationRefName]
	for _, s := range subjects {
		if name == attest.SignatureTag(s) || name == attest.AttestationTag(s) {
			return true, nil
		}
	}
	if !d.MediaType.IsImage() {
		return false, nil
	}
	raw, err := layout.Path(dir).Bytes(d.Digest)
	if err != nil {
		return false, err
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return false, fmt.Errorf("read manifest %s: %w", d.Digest, err)
	}
	return manifest.Subject != nil && !manifest.Config.MediaType.IsConfig() && slices.Contains(subjects, manifest.Subject.Digest), nil
}

// contentInLayout finds what of an image in a layout has not the digest, or the size, that
// it is named by. Nobody else compares them on every way out of a layout.
func contentInLayout(dir string, digest v1.Hash) error {
	raw, err := layout.Path(dir).Bytes(digest)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	for _, d := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
		blob, err := layout.Path(dir).Blob(d.Digest)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is not in the layout", d.Digest)
		} else if err != nil {
			return fmt.Errorf("read %s: %w", d.Digest, err)
		}
		sum := sha256.New()
		size, err := io.Copy(sum, blob)
		_ = blob.Close() // only read
		if err != nil {
			return fmt.Errorf("read %s: %w", d.Digest, err)
		}
		if is := hex.EncodeToString(sum.Sum(nil)); is != d.Digest.Hex || d.Digest.Algorithm != "sha256" || size != d.Size {
			return fmt.Errorf("what should be %s, of %d bytes, is sha256:%s, of %d", d.Digest, d.Size, is, size)
		}
	}
	return nil
}
