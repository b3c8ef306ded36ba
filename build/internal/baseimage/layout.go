package baseimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/ociread"
	"github.com/thimble-build/thimble/build/plan"
)

// folder is an OCI image layout (image-spec 1.1, image-layout.md).
type folder struct {
	path  ociread.Folder
	shown string
}

func openLayout(path, shown string) (*folder, error) {
	f := &folder{ociread.Layout(path), shown}
	if _, _, err := f.path.Index(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fs.ErrNotExist
		}
		return nil, fmt.Errorf("read layout %s: %w", shown, err)
	}
	return f, nil
}

func (f *folder) close() {}

// root returns the one image or index of the layout: other entries, such as signatures, have
// other annotations or an artifact type. Several images with platforms are an index, which is
// index.json itself.
func (f *folder) root(context.Context) ([]byte, types.MediaType, error) {
	fail := func(err error) ([]byte, types.MediaType, error) {
		return nil, "", fmt.Errorf("read layout %s: %w", f.shown, err)
	}
	list, top, err := f.path.Index()
	if err != nil {
		return fail(err)
	}
	var own []v1.Descriptor
	platforms, indexes := 0, 0
	seen := map[v1.Hash]bool{}
	for _, d := range list.Manifests {
		kind := d.Annotations["kind"]
		// Go-containerregistry uses the configuration's type as the artifact's.
		artifact := d.ArtifactType != "" && !types.MediaType(d.ArtifactType).IsConfig()
		if !d.MediaType.IsImage() && !d.MediaType.IsIndex() || artifact ||
			strings.HasSuffix(kind, "/sigs") || strings.HasSuffix(kind, "/atts") {
			continue
		}
		if seen[d.Digest] {
			continue // under another name
		}
		seen[d.Digest] = true
		own = append(own, d)
		if d.MediaType.IsIndex() {
			indexes++
		}
		if d.Platform != nil {
			platforms++
		}
	}
	switch {
	case len(own) == 0:
		return fail(errors.New("it contains no image"))
	case own[0].MediaType.IsIndex() && indexes == 1 || len(own) == 1:
		raw, err := f.path.Manifest(own[0].Digest)
		if err == nil && hashOf(raw) != own[0].Digest {
			err = fmt.Errorf("%s: %w: its content is %s", own[0].Digest, cache.ErrCorrupt, hashOf(raw))
		}
		if err != nil {
			return fail(err)
		}
		return raw, own[0].MediaType, nil
	case platforms == len(own) && indexes == 0:
		return top, types.OCIImageIndex, nil
	}
	return fail(fmt.Errorf("it contains %d images; put one of them into a separate layout", len(own)))
}

func (f *folder) manifest(_ context.Context, digest v1.Hash) ([]byte, error) {
	raw, err := f.path.Manifest(digest)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", f.shown, err)
	}
	return raw, nil
}

// blob does not limit the size; the sink does.
func (f *folder) blob(ctx context.Context, digest v1.Hash, to cache.Sink) error {
	content, err := f.path.OpenBlob(ctx, v1.Descriptor{Digest: digest, Size: maxLayer})
	if err != nil {
		return fmt.Errorf("read layout %s: %w", f.shown, err)
	}
	_, err = io.Copy(to, content)
	return errors.Join(err, content.Close())
}

// sboms returns nothing: a layout is a copy, which need not include them.
func (f *folder) sboms(context.Context, v1.Hash, []v1.Hash) ([]plan.ImageSBOM, error) {
	return nil, nil
}
