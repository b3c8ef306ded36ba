package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// Tree makes the tree of the selection; it first calls Fetch. Contents are unpacked into files in
// dir, which the caller makes before, and removes when the tree is no longer used; trees of one
// run may share it. The tree's components are its packages, and the distroless project's
// additions.
func (s Selection) Tree(ctx context.Context, m Mirror, dir string) (*tree.Tree, error) {
	t, err := s.tree(ctx, m, dir)
	if err != nil {
		return nil, fmt.Errorf("make base %s for Debian's %s: %w", s.Base, s.Architecture, err)
	}
	return t, nil
}

func (s Selection) tree(ctx context.Context, m Mirror, dir string) (*tree.Tree, error) {
	if err := s.Fetch(ctx, m); err != nil {
		return nil, err
	}
	all := make([]*unpacked, len(s.Locked))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range s.Locked {
		g.Go(func() (err error) {
			if all[i], err = s.unpack(ctx, m, p, dir); err != nil {
				err = fmt.Errorf("package %s %s: %w", p.Name, p.Version, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	b := &builder{selection: s, owner: map[string]string{}, nodes: map[string]tree.Node{}}
	for i, p := range s.Locked {
		if err := b.add(p, all[i]); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
	return b.tree(all)
}

// unpack opens a package of the cache and hashes it; it returns an error if the file has changed
// since it was fetched.
func (s Selection) unpack(ctx context.Context, m Mirror, p plan.DebianPackage,
	dir string) (u *unpacked, err error) {
	f, err := os.Open(filepath.Join(m.Cache, p.SHA256))
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read from
	spool, err := os.CreateTemp(dir, p.Name+"-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	h := &hashing{limit.Reader(ctx, f), sha256.New()}
	if u, err = unpack(ctx, h, spool, s.merged()); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, h); err != nil {
		return nil, err
	}
	if sum := hex.EncodeToString(h.hash.Sum(nil)); sum != p.SHA256 {
		return nil, fmt.Errorf("its SHA-256 is %s, but the lock says %s", sum, p.SHA256)
	}
	c, err := first(string(u.control))
	if err != nil {
		return nil, fmt.Errorf("control file: %w", err)
	}
	if c["package"] != p.Name || c["version"] != p.Version || c["architecture"] != p.Architecture {
		return nil, fmt.Errorf("it is %s %s for %s, but the lock says %s", c["package"], c["version"],
			c["architecture"], p.Architecture)
	}
	return u, nil
}

// merged says that /bin, /lib and the like are symlinks into /usr: since Debian 13, the package
// base-files has them. The distroless images of Debian 12 have folders instead.
func (s Selection) merged() bool { return s.Suite != "bookworm" }

// builder merges packages.
type builder struct {
	selection Selection
	owner     map[string]string // the package of each path that is not a folder
	nodes     map[string]tree.Node
	parts     []part
}

// part is a component and the nodes that it brings.
type part struct {
	component tree.Component
	nodes     []tree.Node
}

// status is the folder where scanners look for the packages of a distroless image.
const status = "var/lib/dpkg/status.d/"

// add adds a package's nodes, and its entry in the status folder.
func (b *builder) add(p plan.DebianPackage, u *unpacked) error {
	nodes := u.nodes
	if bundleOnly(b.selection.DebianSelection, p.Name) {
		nodes = slices.DeleteFunc(slices.Clone(nodes),
			func(n tree.Node) bool { return n.Path != copyrightFile(p.Name) })
	}
	if p.Name == certificates {
		n, err := bundle(u.nodes)
		if err != nil {
			return err
		}
		nodes = append(slices.Clone(nodes), n)
	}
	nodes = append(slices.Clone(nodes), tree.Bytes(status+p.Name, 0o644, u.control))
	if u.md5sums != nil {
		nodes = append(nodes, tree.Bytes(status+p.Name+".md5sums", 0o644, u.md5sums))
	}
	c := component(b.selection, p)
	own, err := b.take(p.Name, nodes)
	b.parts = append(b.parts, part{c, own})
	return err
}

// take returns the nodes that a package adds: existing folders stay as they are, as in dpkg, and
// files that the distroless project replaces are left out.
func (b *builder) take(name string, nodes []tree.Node) ([]tree.Node, error) {
	var own []tree.Node
	for _, n := range nodes {
		old, ok := b.nodes[n.Path]
		switch {
		case !ok:
		case old.Mode.IsDir() && n.Mode.IsDir():
			continue
		default:
			return nil, fmt.Errorf("/%s is in package %s too", n.Path, b.owner[n.Path])
		}
		if b.selection.replaces(n.Path) && name != "" {
			continue
		}
		b.nodes[n.Path], b.owner[n.Path] = n, name
		own = append(own, n)
	}
	return own, nil
}

// tree adds the files that are in no package, and makes the tree.
func (b *builder) tree(all []*unpacked) (*tree.Tree, error) {
	if b.selection.Base != plan.BaseDebian {
		own, err := b.take("", distroless(b.selection.Suite))
		if err != nil {
			return nil, err
		}
		b.parts = append(b.parts, part{distrolessComponent, own})
	}
	if b.selection.merged() {
		b.parts = append(b.parts, part{nodes: b.usrLinks()})
	}
	t := &tree.Tree{}
	for i, p := range b.parts {
		if i < len(all) {
			license, err := b.license(b.selection.Locked[i].Name)
			if err != nil {
				return nil, err
			}
			p.component.License = license
		}
		if p.component.Name != "" {
			if err := t.AddComponent(p.component, p.nodes...); err != nil {
				return nil, err
			}
			continue
		}
		for _, n := range p.nodes {
			if err := t.Add(n); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// usrLinks returns the symlinks into /usr that a merged image needs and that no package has,
// since base-files is not included.
func (b *builder) usrLinks() []tree.Node {
	var links []tree.Node
	for _, top := range usrMerged {
		_, there := b.nodes[top]
		if !there && b.hasFolder("usr/"+top) {
			links = append(links, tree.Node{Path: top, Mode: fs.ModeSymlink | 0o777, Link: "usr/" + top})
		}
	}
	return links
}

// hasFolder says whether there is a folder, even if only because something is in it.
func (b *builder) hasFolder(p string) bool {
	if b.nodes[p].Mode.IsDir() {
		return true
	}
	for name := range b.nodes {
		if strings.HasPrefix(name, p+"/") {
			return true
		}
	}
	return false
}

// license returns the SPDX expression of a package's copyright file; empty if there is no file or
// no exact expression.
func (b *builder) license(name string) (string, error) {
	p := copyrightFile(name)
	n, ok := b.nodes[p]
	if !ok {
		// The folder may be a symlink to that of another package of the same source.
		link, ok := b.nodes[path.Dir(p)]
		if !ok || link.Mode.Type() != fs.ModeSymlink || path.Base(link.Link) != link.Link {
			return "", nil
		}
		if n, ok = b.nodes[copyrightFile(link.Link)]; !ok {
			return "", nil
		}
	}
	text, err := readNode(b.nodes, n)
	if err != nil {
		return "", fmt.Errorf("package %s: read its copyright file: %w", name, err)
	}
	return licenseOf(string(text)), nil
}

func copyrightFile(name string) string { return "usr/share/doc/" + name + "/copyright" }

// maxText is the maximum size of a copyright file or a certificate, in bytes.
const maxText = 16 << 20

// readNode returns the content of a file.
func readNode(nodes map[string]tree.Node, n tree.Node) ([]byte, error) {
	if n.Mode.IsRegular() && n.Link != "" {
		n = nodes[n.Link]
	}
	if !n.Mode.IsRegular() || n.Open == nil || n.Size > maxText {
		return nil, fmt.Errorf("/%s is not a file, or has more than %d bytes", n.Path, maxText)
	}
	r, err := n.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() // only read from
	return io.ReadAll(r)
}
