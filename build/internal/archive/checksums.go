package archive

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Checksums returns a file for `sha256sum -c`: a line for each name with its SHA-256 in hex,
// sorted by name.
func Checksums(sha256 map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(sha256)) {
		fmt.Fprintf(&b, "%s  %s\n", sha256[name], name)
	}
	return b.Bytes()
}
