package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/ociread"
)

// Many entries of a layout may lead to one large file: it is not read for each of them.
func TestLayoutOfOneFile(t *testing.T) {
	for what, size := range map[string]int{"as large as a manifest may be": ociread.MaxSize, "larger": ociread.MaxSize + 1} {
		dir := t.TempDir()
		content := make([]byte, size)
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		blobs := filepath.Join(dir, "blobs", "sha256")
		entry := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%d,"digest":"sha256:%s"},`, size, digest)
		for _, err := range []error{
			os.MkdirAll(blobs, 0o755), os.WriteFile(filepath.Join(blobs, digest), content, 0o644),
			os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"manifests":[`+strings.TrimSuffix(strings.Repeat(entry, 100), ",")+`]}`), 0o644),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := LayoutEvidence(t.Context(), dir, ociread.Layout(dir)); !errors.Is(err, limit.ErrTooLarge) || !strings.Contains(err.Error(), "more than 256 MiB") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
