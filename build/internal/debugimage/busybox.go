package debugimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/thimble-build/thimble/build/internal/busybox"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// busyboxNodes takes from Debian's package the executable, its copyright file and, for scanners,
// its entry in the status folder.
func busyboxNodes(ctx context.Context, s debian.Selection,
	mirror debian.Mirror) (component tree.Component, nodes []tree.Node, err error) {
	dir, err := os.MkdirTemp("", "thimble-busybox-")
	if err != nil {
		return component, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	from, err := s.Tree(ctx, mirror, dir)
	if err != nil {
		return component, nil, err
	}
	components, err := from.Components(ctx)
	if err != nil {
		return component, nil, err
	}
	for _, c := range components {
		if c.Name == busybox.Package {
			component, component.Files = c, nil
		}
	}
	var executable []byte
	for _, n := range from.Nodes() {
		to, perm := "", fs.FileMode(0o644)
		switch {
		case path.Base(n.Path) == "busybox" && path.Base(path.Dir(n.Path)) == "bin":
			to, perm = bin+"/busybox", 0o755
		case n.Path == "usr/share/doc/"+busybox.Package+"/copyright":
			to = folder + "/licenses/" + busybox.Package
		case strings.HasPrefix(n.Path, "var/lib/dpkg/status.d/"):
			to = "/" + n.Path
		}
		if to == "" || !n.Mode.IsRegular() {
			continue
		}
		content, err := readNode(n)
		if err != nil {
			return component, nil, fmt.Errorf("read /%s: %w", n.Path, err)
		}
		if perm == 0o755 {
			executable = content
		}
		nodes = append(nodes, tree.Bytes(to[1:], perm, content))
	}
	if component.Name == "" || executable == nil {
		return component, nil, fmt.Errorf("package %s of Debian has no busybox in it", busybox.Package)
	}
	applets, err := busybox.Applets(executable)
	if err != nil {
		return component, nil, err
	}
	for _, a := range applets {
		if a != "busybox" {
			nodes = append(nodes, tree.Node{Path: bin[1:] + "/" + a, Mode: fs.ModeSymlink | 0o777,
				Link: "busybox"})
		}
	}
	return component, nodes, nil
}

func readNode(n tree.Node) ([]byte, error) {
	r, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read
	return io.ReadAll(r)
}
