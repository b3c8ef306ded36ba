package debian

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/tree"
)

// unpacked is the content of a package.
type unpacked struct {
	// control and md5sums are the control files of these names; md5sums is nil if the
	// package has none.
	control, md5sums []byte
	// nodes are its files, with their paths in an image, sorted.
	nodes []tree.Node
}

// unpack reads a .deb. It appends the contents of its files to spool; the nodes read them from
// there. merged says that the image has /bin, /lib and the like as symlinks into /usr.
func unpack(ctx context.Context, deb io.Reader, spool *os.File, merged bool) (*unpacked, error) {
	a, err := openArchive(deb)
	if err != nil {
		return nil, err
	}
	control, err := a.find("control.tar")
	if err != nil {
		return nil, err
	}
	u := &unpacked{}
	if err := errors.Join(u.readControl(control), control.Close()); err != nil {
		return nil, fmt.Errorf("control.tar: %w", err)
	}
	data, err := a.find("data.tar")
	if err != nil {
		return nil, err
	}
	w := &unpacker{spool: spool, out: bufio.NewWriterSize(spool, 256<<10), merged: merged,
		nodes: map[string]tree.Node{}}
	if err := errors.Join(w.read(ctx, tar.NewReader(data)), w.out.Flush(), data.Close()); err != nil {
		return nil, fmt.Errorf("data.tar: %w", err)
	}
	u.nodes, err = w.sorted()
	return u, err
}

// readControl reads the required control files.
func (u *unpacked) readControl(r io.Reader) error {
	left := int64(maxControl)
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return cutOff(err)
		}
		if left -= max(h.Size, 1<<10); left < 0 || h.Size < 0 {
			return fmt.Errorf("it has more than %d bytes", maxControl)
		}
		var to *[]byte
		switch path.Clean(h.Name) {
		case "control":
			to = &u.control
		case "md5sums":
			to = &u.md5sums
		default:
			continue
		}
		if h.Typeflag != tar.TypeReg || *to != nil {
			return fmt.Errorf("%s is not a file, or appears twice", h.Name)
		}
		if *to, err = io.ReadAll(t); err != nil {
			return cutOff(err)
		}
	}
	if u.control == nil {
		return errors.New("it has no control file")
	}
	return nil
}

// unpacker collects the nodes of a package.
type unpacker struct {
	spool  *os.File
	out    *bufio.Writer
	offset int64
	merged bool
	nodes  map[string]tree.Node
	links  []tree.Node // hard links, in the order of the tar
}

func (w *unpacker) read(ctx context.Context, t *tar.Reader) error {
	unpacked, names := int64(0), 0
	for entries := 0; ; entries++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return cutOff(err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if entries >= maxEntries {
			return fmt.Errorf("it has more than %d entries", maxEntries)
		}
		if unpacked += h.Size; h.Size < 0 || h.Size > maxUnpacked || unpacked > maxUnpacked {
			return fmt.Errorf("%.200q: its files come to more than %d bytes", h.Name, maxUnpacked)
		}
		if names += len(h.Name) + len(h.Linkname); names > maxNames {
			return fmt.Errorf("its names come to more than %d MiB", maxNames>>20)
		}
		if err := w.add(h, limit.Reader(ctx, t)); err != nil {
			return fmt.Errorf("%.200q: %w", h.Name, err)
		}
	}
}

func (w *unpacker) add(h *tar.Header, content io.Reader) error {
	p, err := w.path(h.Name)
	if err != nil {
		return err
	}
	if p == "." {
		if h.Typeflag != tar.TypeDir {
			return errors.New("the root is a folder")
		}
		return nil
	}
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= 1<<32-1 || int64(h.Gid) >= 1<<32-1 {
		return fmt.Errorf("there is no owner %d:%d", h.Uid, h.Gid)
	}
	n := tree.Node{Path: p, Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid}
	switch h.Typeflag {
	case tar.TypeDir:
		if w.merged && slices.Contains(usrMerged, p) {
			return nil // it is a symlink; its content moves to /usr
		}
	case tar.TypeSymlink:
		n.Mode, n.Link = fs.ModeSymlink|0o777, h.Linkname
		if err := checkSymlink(p, h.Linkname); err != nil {
			return err
		}
	case tar.TypeLink:
		if n.Link, err = w.path(h.Linkname); err != nil {
			return fmt.Errorf("a hard link to %.200q: %w", h.Linkname, err)
		}
		w.links = append(w.links, n)
		return w.unique(p, tree.Node{}) // its content and mode are the target's
	case tar.TypeReg:
		if err := w.store(&n, h.Size, content); err != nil {
			return err
		}
	default:
		return fmt.Errorf("it is not a file, folder or link but of type %q", h.Typeflag)
	}
	return w.unique(p, n)
}

func (w *unpacker) unique(p string, n tree.Node) error {
	if _, ok := w.nodes[p]; ok {
		return errors.New("it appears twice")
	}
	w.nodes[p] = n
	return nil
}

// store writes the content of n into the spool.
func (w *unpacker) store(n *tree.Node, size int64, content io.Reader) error {
	written, err := io.CopyN(w.out, content, size)
	if err != nil {
		return cutOff(err)
	}
	name, offset := w.spool.Name(), w.offset
	w.offset += written
	n.Size = size
	n.Open = func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return section{io.NewSectionReader(f, offset, size), f}, nil
	}
	return nil
}

type section struct {
	io.Reader
	io.Closer
}

// usrMerged are the folders of the root that are in /usr in a merged image (usr-is-merged of
// Debian 13).
var usrMerged = []string{"bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin"}

// path returns the path of an entry in the image. A path outside of it is an error.
func (w *unpacker) path(name string) (string, error) {
	p := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if p == "" || p == "." {
		return ".", nil
	}
	switch {
	case len(p) > 4096:
		return "", errors.New("the path is too long")
	case path.IsAbs(p):
		return "", errors.New("the path is absolute")
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", errors.New("the path has .. and leaves the image")
	case !fs.ValidPath(p) || strings.ContainsRune(p, 0):
		return "", errors.New("the path is not clean")
	}
	if top, _, below := strings.Cut(p, "/"); w.merged && below && slices.Contains(usrMerged, top) {
		p = "usr/" + p
	}
	return p, nil
}

// checkSymlink returns an error for a symlink that leads out of the image. An absolute one begins
// at the image's root (Debian Policy 10.5).
func checkSymlink(p, target string) error {
	if target == "" || len(target) > 4096 || strings.ContainsRune(target, 0) {
		return errors.New("a symlink without a target, or too long a one")
	}
	depth := strings.Count(p, "/")
	if path.IsAbs(target) {
		depth = 0
	}
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return fmt.Errorf("a symlink to %.200q leaves the image", target)
			}
		default:
			depth++
		}
	}
	return nil
}

// sorted returns the nodes sorted by path. Of several hard links to one file, the first has the
// content.
func (w *unpacker) sorted() ([]tree.Node, error) {
	groups := map[string][]string{} // by the path that has the content
	for _, l := range w.links {
		target, ok := w.nodes[l.Link]
		if !ok || !target.Mode.IsRegular() || target.Open == nil {
			return nil, fmt.Errorf("data.tar: %q: a hard link to %q, which is not an earlier file", l.Path,
				l.Link)
		}
		groups[l.Link] = append(groups[l.Link], l.Path)
	}
	for target, paths := range groups {
		content := w.nodes[target]
		paths = append(paths, target)
		slices.Sort(paths)
		for i, p := range paths {
			n := content
			n.Path = p
			if i > 0 {
				n.Link, n.Open, n.Size = paths[0], nil, 0
			}
			w.nodes[p] = n
		}
	}
	nodes := make([]tree.Node, 0, len(w.nodes))
	for _, n := range w.nodes {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b tree.Node) int { return strings.Compare(a.Path, b.Path) })
	return nodes, nil
}
