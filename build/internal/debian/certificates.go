package debian

import (
	"fmt"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/internal/tree"
)

// bundlePath is the usual path of a system's certificates.
const bundlePath = "etc/ssl/certs/ca-certificates.crt"

// bundle makes the file that update-ca-certificates makes on a new system: the certificates of
// ca-certificates in the order of their paths, each with a newline at its end. The nodes are
// sorted.
func bundle(nodes []tree.Node) (tree.Node, error) {
	byPath := make(map[string]tree.Node, len(nodes))
	for _, n := range nodes {
		byPath[n.Path] = n
	}
	var all []byte
	for _, n := range nodes {
		if !strings.HasPrefix(n.Path, "usr/share/ca-certificates/") || path.Ext(n.Path) != ".crt" ||
			!n.Mode.IsRegular() {
			continue
		}
		b, err := readNode(byPath, n)
		if err != nil {
			return tree.Node{}, err
		}
		all = append(all, b...)
		if len(b) > 0 && b[len(b)-1] != '\n' {
			all = append(all, '\n')
		}
	}
	if len(all) == 0 {
		return tree.Node{}, fmt.Errorf("package %s has no certificates", certificates)
	}
	return tree.Bytes(bundlePath, 0o644, all), nil
}
