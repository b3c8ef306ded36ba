// home writes a file into the user's home, its cache and its configuration.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	for _, find := range []func() (string, error){os.UserHomeDir, os.UserCacheDir, os.UserConfigDir} {
		dir, err := find()
		if err == nil {
			err = write(dir)
		}
		fmt.Println(err == nil)
	}
}

func write(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, ".thimble-needs")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(file)
}
