package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Folder returns the folder for the binaries of an output folder, below a cache folder. variant
// distinguishes binaries with other compiler flags; it is empty for a release. The folder is
// outside the output folder, which changes only at the end of a run. It is the same for every run,
// because the go command links again if its output is missing. The lock of the output folder
// protects it.
func Folder(cache, dist, variant string) string {
	id := sha256.Sum256([]byte(dist + variant))
	return filepath.Join(cache, "bin", hex.EncodeToString(id[:8]))
}

// TrimFolders notes that a folder of Folder was used, and removes those that were not used for a
// month.
func TrimFolders(folder string) error {
	now := time.Now()
	if err := os.Chtimes(folder, now, now); err != nil {
		return err
	}
	folders, err := os.ReadDir(filepath.Dir(folder))
	if err != nil {
		return err
	}
	for _, d := range folders {
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && now.Sub(info.ModTime()) < 30*24*time.Hour {
			continue
		}
		if err == nil {
			err = os.RemoveAll(filepath.Join(filepath.Dir(folder), d.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
