package tree

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"

	"github.com/thimble-build/thimble/build/internal/capability"
)

// WriteTar writes the tree as a tar (OCI image-spec 1.1, layer.md) with one possible encoding:
// sorted by path, modification time 0, numeric owners without names, and a PAX header only for
// what USTAR cannot represent (a long or non-ASCII name, a large number, file capabilities). It
// streams each file, and returns an error if a file's size differs from its node's.
func (t *Tree) WriteTar(w io.Writer) error {
	tw := tar.NewWriter(w)
	buf := make([]byte, 64<<10)
	for _, n := range t.Nodes() {
		if err := t.writeNode(tw, n, buf); err != nil {
			return fmt.Errorf("write /%s to the layer: %w", n.Path, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("write the end of the layer: %w", err)
	}
	return nil
}

func (t *Tree) writeNode(tw *tar.Writer, n Node, buf []byte) error {
	h := &tar.Header{Name: n.Path, Mode: chmodBits(n.Mode), Uid: n.UID, Gid: n.GID}
	switch {
	case n.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, n.Path+"/"
	case n.Mode.Type() == fs.ModeSymlink:
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, n.Link, 0o777
	case n.Link != "":
		h.Typeflag, h.Linkname = tar.TypeLink, n.Link
	default:
		h.Typeflag, h.Size = tar.TypeReg, n.Size
	}
	if len(n.Capabilities) > 0 {
		h.PAXRecords = map[string]string{"SCHILY.xattr." + capability.XAttr: string(n.Capabilities)}
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	r, err := n.Open()
	if err != nil {
		return err
	}
	defer r.Close() // only read from
	// One byte more than expected is enough to detect that the file has grown.
	written, err := io.CopyBuffer(onlyWriter{tw}, io.LimitReader(r, n.Size), buf)
	if err != nil {
		return err
	}
	more, err := r.Read(buf[:1])
	if err != nil && err != io.EOF {
		return err
	}
	if written != n.Size || more != 0 {
		return fmt.Errorf("the file changed while it was read: it should have %d bytes", n.Size)
	}
	return nil
}

// onlyWriter hides tar.Writer's ReadFrom, which would not use the buffer.
type onlyWriter struct{ io.Writer }
