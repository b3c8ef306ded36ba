package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/thimble-build/thimble/build/internal/disk"
)

func TestSize(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b/c", "b/d/e"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, make([]byte, 100), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if size, complete, err := disk.Size(dir, 10); size != 300 || !complete || err != nil {
		t.Errorf("%d, %t, %v", size, complete, err)
	}
	if size, complete, err := disk.Size(dir, 2); size != 200 || complete || err != nil {
		t.Errorf("of two files: %d, %t, %v", size, complete, err)
	}
	missing := filepath.Join(dir, "x", "y")
	if size, complete, err := disk.Size(missing, 10); size != 0 || !complete || err != nil {
		t.Errorf("of nothing: %d, %t, %v", size, complete, err)
	}
	if got := disk.Existing(missing); got != dir {
		t.Errorf("around it is %s", got)
	}
}

func TestFree(t *testing.T) {
	dir := t.TempDir()
	if free, err := disk.Free(dir); err != nil || free <= 0 {
		t.Errorf("%d, %v", free, err)
	}
	if _, err := disk.Free(filepath.Join(dir, "missing")); err == nil {
		t.Error("there is free space nowhere")
	}
}
