package ociread

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// memory are blobs in memory. Each read gives only a few bytes, so that what is read can be counted.
type memory struct {
	blobs map[v1.Hash][]byte
	read  int
}

func (m *memory) add(mediaType types.MediaType, content []byte) v1.Descriptor {
	h, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		panic(err)
	}
	m.blobs[h] = content
	return v1.Descriptor{MediaType: mediaType, Digest: h, Size: size}
}

func (m *memory) OpenBlob(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	content, ok := m.blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("no %s", d.Digest)
	}
	return io.NopCloser(&counting{bytes.NewReader(content), &m.read}), nil
}

type counting struct {
	r io.Reader
	n *int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), 512)])
	*c.n += n
	return n, err
}

// A layer is never read before its reader is, and what is not the blob of the digest ends in an
// error. A configuration that would take much memory is refused.
func TestStream(t *testing.T) {
	m := &memory{blobs: map[v1.Hash][]byte{}}
	layer := m.add(types.OCILayer, bytes.Repeat([]byte("layer"), 100_000))
	config := m.add(types.OCIConfigJSON, []byte(`{"rootfs":{"type":"layers","diff_ids":["`+digest+`"]}}`))
	image := func(config v1.Descriptor) v1.Image {
		raw, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{layer}})
		if err != nil {
			t.Fatal(err)
		}
		img, err := Stream(t.Context(), m, raw, types.OCIManifestSchema1)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	layers, err := image(config).Layers()
	if err != nil {
		t.Fatal(err)
	}
	if id, err := layers[0].DiffID(); err != nil || id.String() != digest {
		t.Errorf("the DiffID is %s, %v", id, err)
	}
	if size, err := layers[0].Size(); err != nil || size != layer.Size {
		t.Errorf("the size is %d, %v", size, err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(content, make([]byte, 10)); err != nil || m.read > 4096 {
		t.Errorf("for the first bytes, %d were read: %v", m.read, err)
	}
	if rest, err := io.ReadAll(content); err != nil || int64(len(rest)) != layer.Size-10 {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
	for name, other := range map[string][]byte{
		"other bytes": bytes.Repeat([]byte("other"), 100_000), "fewer bytes": []byte("layer"),
	} {
		m.blobs[layer.Digest] = other
		content, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(content); err == nil || !strings.Contains(err.Error(), "its content is sha256:") {
			t.Errorf("%s: %v", name, err)
		}
	}

	large := m.add(types.OCIConfigJSON, []byte(`{"history":[`+strings.TrimSuffix(strings.Repeat("{},", 600), ",")+`]}`))
	if _, err := image(large).ConfigFile(); err == nil || !strings.Contains(err.Error(), "more than 500 history") {
		t.Errorf("a configuration of nothing: %v", err)
	}
	few := m.add(types.OCIConfigJSON, []byte(`{}`))
	layers, err = image(few).Layers()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layers[0].DiffID(); err == nil || !strings.Contains(err.Error(), "has no DiffID") {
		t.Errorf("too few DiffIDs: %v", err)
	}
}
