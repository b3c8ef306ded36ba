// tmp makes a temporary file and a temporary folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	file, err := os.CreateTemp("", "thimble")
	fmt.Println(err == nil)
	if err == nil {
		file.Close()
		os.Remove(file.Name())
	}
	dir, err := os.MkdirTemp("", "thimble")
	fmt.Println(err == nil)
	os.Remove(dir)
	_, err = os.Stat(filepath.Clean(os.TempDir()))
	fmt.Println(err == nil)
}
