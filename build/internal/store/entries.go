package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

// entries are the entries in the index.json of a layout. Anybody may have added to it, so
// entries of unknown types and unreadable entries are ignored without an error.
type entries struct {
	// images are the manifests that could be the image of the layout, without duplicates;
	// beside are manifests about an image.
	images []v1.Descriptor
	beside []besideImage
	// ignored are entries that could not be read, foreign are entries of other types.
	ignored []attest.Ignore
	foreign *attest.Ignore
}

// besideImage is a manifest about an image, by its subject or by its name.
type besideImage struct {
	descriptor v1.Descriptor
	subject    v1.Hash // empty for one that has a name
	bundle     bool
}

const (
	// maxLayoutEntries is the limit for the entries that are read from an index.json.
	maxLayoutEntries = 30000
	// maxLayoutBytes limits the bytes of all their manifests. One has about one KB, and it is read
	// once for each entry.
	maxLayoutBytes = 256 << 20
)

var cosignName = regexp.MustCompile(`^sha256-[0-9a-f]{64}\.(sig|att|sbom)$`)

// readEntries reads the manifests in index.json, one at a time; it keeps none in memory.
func readEntries(ctx context.Context, from ociread.Folder) (*entries, error) {
	listed, bad, err := from.Entries(maxLayoutEntries)
	if err != nil {
		return nil, err
	}
	e := &entries{}
	known := map[v1.Hash]bool{}
	others, example, unread := bad, "one that is not a descriptor", 0
	left := int64(maxLayoutBytes)
	for _, d := range listed {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
			if others++; others == bad+1 {
				example = fmt.Sprintf("%.100q", d.MediaType)
			}
			continue
		}
		name := d.Annotations[imagespec.AnnotationRefName]
		if known[d.Digest] && !cosignName.MatchString(name) {
			continue // the same manifest under another name
		}
		raw, err := manifestOf(from, d)
		size := int64(len(raw))
		if errors.Is(err, limit.ErrTooLarge) {
			size = ociread.MaxSize
		}
		if left -= size; left < 0 {
			return nil, fmt.Errorf("the manifests in index.json: %w: more than %d MiB",
				limit.ErrTooLarge, maxLayoutBytes>>20)
		}
		if err == nil {
			err = e.add(d, name, raw, known)
		} else if isImage(d, raw) {
			// Programs that load images may not compare the digest.
			return nil, fmt.Errorf("it contains an image that index.json describes wrongly, as %s: %w",
				d.Digest, err)
		}
		if err != nil {
			if unread++; unread <= maxIgnored {
				e.ignored = append(e.ignored, attest.Ignore{Source: d.Digest.String(), Reason: err.Error()})
			}
		}
	}
	if unread > maxIgnored {
		e.ignored = append(e.ignored, attest.Ignore{Source: "index.json",
			Reason: fmt.Sprintf("%d more could not be read", unread-maxIgnored)})
	}
	if others > 0 {
		e.foreign = &attest.Ignore{Source: "index.json",
			Reason: fmt.Sprintf("%d of other types, such as %s", others, example)}
	}
	return e, nil
}

// manifestOf reads the manifest of an entry. With an error about its digest or size, it also
// returns the content.
func manifestOf(from ociread.Folder, d v1.Descriptor) ([]byte, error) {
	raw, err := from.Manifest(d.Digest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the layout", d.Digest)
	}
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(raw); d.Digest.Algorithm != "sha256" ||
		hex.EncodeToString(sum[:]) != d.Digest.Hex {
		return raw, fmt.Errorf("its content is sha256:%x", sum)
	}
	if int64(len(raw)) != d.Size {
		return raw, fmt.Errorf("it has %d bytes, but index.json says %d", len(raw), d.Size)
	}
	return raw, nil
}

// isImage reports whether a manifest, whatever its descriptor says, contains an image.
func isImage(d v1.Descriptor, raw []byte) bool {
	if d.MediaType.IsIndex() {
		index, err := ociread.ParseIndex(raw)
		return err == nil && len(index.Manifests) > 0
	}
	m, err := ociread.ParseImage(raw)
	return err == nil && m.Config.MediaType.IsConfig()
}

// add adds an entry to the right list, or records why it is ignored.
func (e *entries) add(d v1.Descriptor, name string, raw []byte, known map[v1.Hash]bool) error {
	if d.MediaType.IsImage() {
		if cosignName.MatchString(name) {
			e.beside = append(e.beside, besideImage{descriptor: d})
			return nil
		}
		manifest, err := ociread.ParseImage(raw)
		if err != nil {
			return err
		}
		if manifest.Subject != nil && !manifest.Config.MediaType.IsConfig() {
			var m struct {
				ArtifactType string `json:"artifactType"`
			}
			bundle := json.Unmarshal(raw, &m) == nil && m.ArtifactType == attest.BundleType
			e.beside = append(e.beside, besideImage{d, manifest.Subject.Digest, bundle})
			known[d.Digest] = true
			return nil
		}
	} else if _, err := ociread.ParseIndex(raw); err != nil {
		return err
	}
	known[d.Digest] = true
	e.images = append(e.images, d)
	return nil
}

// isAbout reports whether a manifest is about one of these digests.
func (b besideImage) isAbout(subjects ...v1.Hash) bool {
	name := b.descriptor.Annotations[imagespec.AnnotationRefName]
	for _, s := range subjects {
		if b.subject == s || name == attest.SignatureTag(s) || name == attest.AttestationTag(s) ||
			name == strings.Replace(s.String(), ":", "-", 1)+".sbom" {
			return true
		}
	}
	return false
}

// image returns the one image of the layout.
func (e *entries) image() (v1.Descriptor, error) {
	for _, d := range e.images {
		if d.MediaType.IsIndex() {
			return d, nil
		}
	}
	if len(e.images) > 0 {
		return e.images[0], nil
	}
	var reasons []string
	for _, i := range e.ignored {
		reasons = append(reasons, i.Source+": "+i.Reason)
	}
	if e.foreign != nil {
		reasons = append(reasons, e.foreign.Reason)
	}
	if len(reasons) == 0 {
		return v1.Descriptor{}, errors.New("it contains no image")
	}
	return v1.Descriptor{}, fmt.Errorf("it contains no image that can be read: %s",
		strings.Join(reasons[:min(3, len(reasons))], "; "))
}
