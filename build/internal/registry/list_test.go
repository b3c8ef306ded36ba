package registry

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// A list that others wrote keeps its valid entries and its annotations, and takes little memory.
func TestMerge(t *testing.T) {
	descriptor := func(hex string) v1.Descriptor {
		return v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: 1, Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(hex, 64)}}
	}
	text, err := json.Marshal(descriptor("b"))
	if err != nil {
		t.Fatal(err)
	}
	old := &distribution.Manifest{Raw: []byte(`{"annotations":{"x":"y"},"manifests":[{"digest":"sha256:no"},{},` + string(text) + `]}`)}
	raw, err := merge(old, []v1.Descriptor{descriptor("a")})
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 || index.Manifests[0].Digest != descriptor("a").Digest || index.Manifests[1].Digest != descriptor("b").Digest || index.Annotations["x"] != "y" || index.MediaType != types.OCIImageIndex {
		t.Errorf("%s", raw)
	}

	old.Raw = []byte(`{"manifests":[` + strings.TrimSuffix(strings.Repeat("{},", 1_300_000), ",") + `]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = merge(old, []v1.Descriptor{descriptor("a")})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "more than 100000 entries") {
		t.Errorf("a list of nothing: %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("a list of nothing takes %d MiB", used>>20)
	}
}
