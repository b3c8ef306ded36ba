package store

import (
	"context"
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
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
)

// LayoutOf reports whether a reference is an OCI layout, and returns its folder. A reference
// that begins with a registry's name is in that registry, even if there is a folder of that
// name.
func LayoutOf(s *session.Session, ref string) (dir string, ok bool) {
	if dir, ok := strings.CutPrefix(ref, "oci:"); ok {
		return s.Path(dir), true
	}
	first, _, path := strings.Cut(filepath.ToSlash(ref), "/")
	registry := path && first != "." && first != ".." &&
		(strings.ContainsAny(first, ".:") || first == "localhost")
	if registry && !filepath.IsAbs(ref) {
		return "", false
	}
	return s.Path(ref), isLayout(s.Path(ref))
}

// isLayout reports whether a folder is an OCI layout.
func isLayout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "oci-layout"))
	return err == nil
}

// LayoutEvidence reads a layout that contains one image or index, and everything about it.
func LayoutEvidence(ctx context.Context, dir string, from ociread.Folder) (attest.Evidence, error) {
	fail := func(err error) (attest.Evidence, error) {
		if errors.Is(err, fs.ErrNotExist) {
			err = fs.ErrNotExist
		}
		return attest.Evidence{}, fmt.Errorf("read layout %s: %w", dir, err)
	}
	e, err := readEntries(ctx, from)
	if err != nil {
		return fail(err)
	}
	image, err := e.image()
	if err != nil {
		return fail(err)
	}
	of := NewBudget()
	read := func(to *attest.Manifest, d v1.Descriptor) error {
		raw, err := manifestOf(from, d)
		if err == nil {
			err = of.keep(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", d.Digest, err)
		}
		to.Descriptor, to.Raw = d, raw
		to.Stored, err = e.stored(ctx, from, d.Digest, of)
		return err
	}
	m := attest.Evidence{Name: dir}
	if err := read(&m.Root, image); err != nil {
		return fail(err)
	}
	subjects := []v1.Hash{m.Root.Descriptor.Digest}
	if m.Root.Descriptor.MediaType.IsIndex() {
		index, err := ociread.ParseIndex(m.Root.Raw)
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
	for _, d := range e.images {
		if !slices.Contains(subjects, d.Digest) {
			return fail(fmt.Errorf(
				"it contains several images, %s and %s; only a layout with one image can be verified",
				m.Root.Descriptor.Digest, d.Digest))
		}
	}
	ignored := e.ignored
	if e.foreign != nil {
		ignored = append(ignored, *e.foreign)
	}
	others := 0
	for _, b := range e.beside {
		if !b.isAbout(subjects...) {
			others++
		}
	}
	if others > 0 {
		ignored = append(ignored, attest.Ignore{Source: "index.json",
			Reason: fmt.Sprintf("%d are about other images", others)})
	}
	m.Root.Stored.Ignored = append(m.Root.Stored.Ignored, ignored...)
	return m, nil
}

// CheckContent finds content of an image in a layout whose digest or size differs from the
// image's manifest. Programs that read a layout do not always compare them.
func CheckContent(ctx context.Context, from ociread.Folder, raw []byte) error {
	manifest, err := ociread.ParseImage(raw)
	if err != nil {
		return err
	}
	for _, d := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
		if d.Size > MaxLayer {
			return fmt.Errorf("%s: %w: it has %d bytes", d.Digest, limit.ErrTooLarge, d.Size)
		}
		blob, err := from.OpenBlob(ctx, d)
		if err != nil {
			return err
		}
		sum := sha256.New()
		size, err := io.Copy(sum, blob)
		_ = blob.Close() // only read
		if err != nil && !errors.Is(err, limit.ErrTooLarge) {
			return fmt.Errorf("read %s: %w", d.Digest, err)
		}
		if is := hex.EncodeToString(sum.Sum(nil)); err != nil || is != d.Digest.Hex ||
			d.Digest.Algorithm != "sha256" || size != d.Size {
			return fmt.Errorf("the content of %s, of %d bytes, does not match its digest or size", d.Digest,
				d.Size)
		}
	}
	return nil
}

// LayoutReferrers are the manifests in a layout that are about an image.
type LayoutReferrers struct {
	dir     string
	from    ociread.Folder
	entries *entries
}

// OpenReferrers reads the entries of a layout; a missing layout has none.
func OpenReferrers(ctx context.Context, dir string) (*LayoutReferrers, error) {
	from := ociread.Layout(dir)
	e, err := readEntries(ctx, from)
	if errors.Is(err, fs.ErrNotExist) {
		e, err = &entries{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", dir, err)
	}
	return &LayoutReferrers{dir, from, e}, nil
}

// Stored reads what the layout contains about a digest. Documents are read later; ctx ends that
// too.
func (l *LayoutReferrers) Stored(ctx context.Context, digest v1.Hash) (attest.Stored, error) {
	s, err := l.entries.stored(ctx, l.from, digest, NewBudget())
	if err != nil {
		return attest.Stored{}, fmt.Errorf("read layout %s: %w", l.dir, err)
	}
	s.Ignored = append(s.Ignored, l.entries.ignored...)
	return s, nil
}

// Complete is Stored, but every manifest of the layout must be readable, and every blob about the
// digest must have the right content.
func (l *LayoutReferrers) Complete(ctx context.Context, digest v1.Hash) (attest.Stored, error) {
	s, err := l.Stored(ctx, digest)
	if err != nil {
		return s, err
	}
	for _, i := range s.Ignored {
		return s, fmt.Errorf("read layout %s: %s: %s", l.dir, i.Source, i.Reason)
	}
	for _, img := range append([]v1.Image{s.Signatures, s.Attestations}, s.Bundles...) {
		if img == nil {
			continue
		}
		raw, err := img.RawManifest()
		if err == nil {
			err = CheckContent(ctx, l.from, raw)
		}
		if err != nil {
			return s, fmt.Errorf("read layout %s: %w", l.dir, err)
		}
	}
	return s, nil
}

// stored reads what is about a digest. Documents are read later; ctx ends that too.
func (e *entries) stored(ctx context.Context, from ociread.Folder, digest v1.Hash,
	of *Budget) (attest.Stored, error) {
	var s attest.Stored
	bundles := 0
	for _, b := range e.beside {
		name := b.descriptor.Annotations[imagespec.AnnotationRefName]
		var to *v1.Image
		switch {
		case name == attest.SignatureTag(digest):
			to = &s.Signatures
		case name == attest.AttestationTag(digest):
			to = &s.Attestations
		case b.subject != digest || !b.bundle:
			continue
		}
		if to == nil {
			if bundles++; bundles > maxReferrers {
				continue
			}
		}
		raw, err := manifestOf(from, b.descriptor)
		var img v1.Image
		if err == nil {
			img, err = ociread.Image(ctx, from, raw, b.descriptor.MediaType, registry.MaxDocument)
		}
		if cause := context.Cause(ctx); cause != nil {
			return s, cause
		}
		if err != nil {
			if len(s.Ignored) < maxIgnored {
				s.Ignored = append(s.Ignored,
					attest.Ignore{Source: b.descriptor.Digest.String(), Reason: err.Error()})
			}
			continue
		}
		if err := of.keep(raw); err != nil {
			return s, err
		}
		if to != nil {
			*to = img
		} else {
			s.Bundles = append(s.Bundles, img)
		}
	}
	if bundles > maxReferrers {
		s.Ignored = append(s.Ignored, attest.Ignore{Source: "index.json",
			Reason: fmt.Sprintf("%d bundles were not read, because the limit is %d",
				bundles-maxReferrers, maxReferrers)})
	}
	return s, nil
}
