package tree

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/internal/capability"
	"github.com/thimble-build/thimble/build/plan"
)

// Assets returns the tree of an image's own files: the CA certificates that it trusts besides
// Mozilla's, and its static assets, both read from the module's folder dir, its symlinks and the
// folders of its volumes, and its users, added to those of the base. It opens no file outside dir, not
// even through symlinks.
//
// A symlink within a folder is kept if it is relative and stays in that folder. Any other symlink
// is an error that names it, as are sockets, devices and pipes, two files for one path, and a
// file for a path of App. modes say which files are executable, by their paths relative to dir
// and with slashes. They are the commit's modes, so that neither the umask of a clone nor
// core.fileMode matters. A file that is not in modes is executable if its owner may execute it.
func Assets(dir string, img plan.Image, base Accounts, modes map[string]bool) (*Tree, error) {
	root, err := openModule(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	t := &Tree{}
	if err := addUserCAs(t, root, img.CACertificates); err != nil {
		return nil, err
	}
	var nodes []Node
	assets, err := expand(root, img.Assets)
	if err != nil {
		return nil, err
	}
	for _, a := range assets {
		err := walkAsset(root, a, func(source string, n Node) error {
			if is, ok := modes[source]; ok && n.Mode.IsRegular() && a.Mode == 0 {
				if n.Mode = 0o644; is {
					n.Mode = 0o755
				}
			}
			nodes = append(nodes, n)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", cmp.Or(a.Source, a.Target), err)
		}
	}
	if wd := img.Runtime.WorkingDir; wd != "" {
		if err := free(wd, img); err != nil {
			return nil, fmt.Errorf("working folder %s: %w", wd, err)
		}
	}
	for _, n := range nodes {
		p := "/" + n.Path
		if err := free(p, img); err != nil {
			return nil, fmt.Errorf("asset for %s: %w", p, err)
		} else if !n.Mode.IsDir() && isFolder(p, img.Name) {
			return nil, fmt.Errorf(
				"asset for %s: it is a folder of the image; give the path of a file in it, such as %s/x", p,
				p)
		}
	}
	if len(nodes) > 0 {
		err := t.AddComponent(Component{Name: "assets",
			Description: "static files from the service's source tree"}, nodes...)
		if err != nil {
			return nil, err
		}
	}
	if err := addSymlinks(t, img); err != nil {
		return nil, err
	}
	if err := addVolumes(t, img); err != nil {
		return nil, err
	}
	return t, addUsers(t, base, img.Users)
}

// isFolder says whether the other layers of an image have a folder at a path, for any needs of
// the binary.
func isFolder(p, image string) bool {
	below := func(file string) bool { return strings.HasPrefix(file, p+"/") }
	for _, paths := range needPaths {
		if slices.ContainsFunc(paths, below) {
			return true
		}
	}
	return below(AppPath(image)) || below(LicensesPath)
}

// AssetFile is a file, a symlink or an empty folder of the source tree: Name is relative to
// the module's folder, with slashes.
type AssetFile struct {
	Name string
	// Link says that the symlink itself is copied. Otherwise its target is read.
	Link bool
}

// AssetFiles lists the files of the source tree that Assets reads for the same arguments, sorted.
// It returns the same errors for a single asset.
func AssetFiles(dir string, ca []string, assets []plan.Asset) ([]AssetFile, error) {
	root, err := openModule(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	var files []AssetFile
	for _, name := range ca {
		source, err := cleanSource(name)
		if err != nil {
			return nil, fmt.Errorf("CA certificates %s: %w", name, err)
		}
		if _, err := resolveLinks(root, source); err != nil {
			return nil, fmt.Errorf("CA certificates %s: %w", name, err)
		}
		files = append(files, AssetFile{Name: source})
	}
	if assets, err = expand(root, assets); err != nil {
		return nil, err
	}
	for _, a := range assets {
		folders := map[string]bool{} // empty folders
		err := walkAsset(root, a, func(source string, n Node) error {
			delete(folders, path.Dir(source))
			if n.Mode.IsDir() {
				folders[source] = true
			} else {
				files = append(files, AssetFile{Name: source, Link: n.Mode.Type() == fs.ModeSymlink})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", cmp.Or(a.Source, a.Target), err)
		}
		if a.Source == "" { // no file of the source tree
			delete(folders, "")
		}
		for folder := range folders {
			files = append(files, AssetFile{Name: folder})
		}
		// The source may be reached through a symlink; its target is an input, too.
		if source, err := cleanSource(a.Source); err == nil {
			files = append(files, AssetFile{Name: source})
		}
	}
	slices.SortFunc(files, func(a, b AssetFile) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(files), nil
}

// AssetSources returns the files and folders that AssetFiles reads, by their names and, if a
// symlink leads there, by their paths on disk: relative to dir, with slashes.
func AssetSources(dir string, ca []string, assets []plan.Asset) ([]string, error) {
	root, err := openModule(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // only read from
	names := slices.Clone(ca)
	if assets, err = expand(root, assets); err != nil {
		return nil, err
	}
	for _, a := range assets {
		if a.Source != "" {
			names = append(names, a.Source)
		}
	}
	var sources []string
	for _, name := range names {
		source, err := cleanSource(name)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", name, err)
		}
		physical, err := resolveLinks(root, source)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", name, err)
		}
		sources = append(sources, source, physical)
	}
	slices.Sort(sources)
	return slices.Compact(sources), nil
}

func openModule(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the module's folder: %w", err)
	}
	return root, nil
}

// walkAsset calls visit with each node of an asset and the path of its source
// relative to root, parents first.
func walkAsset(root *os.Root, a plan.Asset, visit func(source string, n Node) error) error {
	if !path.IsAbs(a.Target) || path.Clean(a.Target) != a.Target {
		return fmt.Errorf("target %q is not a clean absolute path, such as /srv/www", a.Target)
	}
	if a.Mode > 0o7777 {
		return fmt.Errorf("mode %#o is more than chmod takes", a.Mode)
	}
	if min(a.UID, a.GID) < 0 || max(a.UID, a.GID) > math.MaxInt32 { // the maximum of container engines
		return fmt.Errorf("owner %d:%d is not from 0 to %d", a.UID, a.GID, math.MaxInt32)
	}
	if a.Source == "" {
		return visit("", emptyFolder(a))
	}
	source, err := cleanSource(a.Source)
	if err != nil {
		return err
	}
	if source, err = resolveLinks(root, source); err != nil {
		return err
	}
	info, err := root.Lstat(filepath.FromSlash(source))
	if err != nil {
		return sourceError(err)
	}
	target := a.Target[1:]
	caps, err := capability.Encode(a.Capabilities)
	if err != nil {
		return err
	}
	if len(caps) > 0 && !info.Mode().IsRegular() {
		return errors.New("it has capabilities, so it must be a file; give the path of the program")
	}
	if !info.IsDir() {
		if target == "" {
			return errors.New("target / is a folder, but the source is a file")
		}
		n, err := assetNode(root, source, info, a)
		if err != nil {
			return err
		}
		n.Path, n.Capabilities = target, caps
		return visit(source, n)
	}
	folder, err := root.OpenRoot(filepath.FromSlash(source))
	if err != nil {
		return sourceError(err)
	}
	defer folder.Close() // only read from
	return fs.WalkDir(folder.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" { // of a submodule: never part of a commit
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := folder.Lstat(filepath.FromSlash(p))
		if err != nil {
			return err
		}
		n, err := assetNode(root, path.Join(source, p), info, a)
		if err == nil && n.Mode.Type() == fs.ModeSymlink {
			n.Link, err = linkWithin(folder, p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if n.Path = path.Join(target, p); n.Path == "." {
			return nil // the root of the image itself
		}
		return visit(path.Join(source, p), n)
	})
}

// emptyFolder returns the node for an asset without a source.
func emptyFolder(a plan.Asset) Node {
	n := Node{Path: a.Target[1:], Mode: fs.ModeDir | 0o755, UID: a.UID, GID: a.GID}
	if a.Mode != 0 {
		n.Mode = fs.ModeDir | fileMode(a.Mode)
	}
	return n
}

// assetNode returns the node for one file, folder or symlink, without its path.
func assetNode(root *os.Root, source string, info fs.FileInfo, a plan.Asset) (Node, error) {
	n := Node{UID: a.UID, GID: a.GID}
	switch info.Mode().Type() {
	case fs.ModeDir:
		n.Mode = 0o755
		if a.Mode != 0 {
			n.Mode = fileMode(a.Mode | a.Mode&0o444>>2)
		}
		n.Mode |= fs.ModeDir
	case fs.ModeSymlink:
		n.Mode = fs.ModeSymlink | 0o777
	case 0:
		n.Mode = 0o644
		if a.Mode != 0 {
			n.Mode = fileMode(a.Mode)
		} else if info.Mode()&0o100 != 0 {
			n.Mode = 0o755
		}
		n.Size = info.Size()
		// root may be closed when this is called; its folder is opened again.
		dir := root.Name()
		n.Open = func() (io.ReadCloser, error) { return openIn(dir, source) }
	default:
		return Node{}, fmt.Errorf("%s is neither a file, a folder nor a symlink", info.Mode())
	}
	return n, nil
}

// openIn opens a file of a folder without leaving the folder.
func openIn(dir, source string) (io.ReadCloser, error) {
	f, err := os.OpenInRoot(dir, filepath.FromSlash(source))
	if err != nil {
		return nil, sourceError(err)
	}
	return f, nil
}

// linkWithin reads a symlink of folder and returns an error if it leads outside. Its target need
// not exist.
func linkWithin(folder *os.Root, p string) (string, error) {
	link, err := folder.Readlink(filepath.FromSlash(p))
	if err != nil {
		return "", err
	}
	link = filepath.ToSlash(link)
	if path.IsAbs(link) || filepath.IsAbs(link) || !filepath.IsLocal(path.Join(path.Dir(p), link)) {
		return "", fmt.Errorf("symlink to %s leaves the folder", link)
	}
	// The path can also leave by way of another symlink.
	if _, err := folder.Stat(filepath.FromSlash(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("symlink to %s: %w", link, sourceError(err))
	}
	return link, nil
}

// cleanSource checks that a path of Config is within the module's folder.
func cleanSource(source string) (string, error) {
	clean := path.Clean(filepath.ToSlash(source))
	switch {
	case source == "":
		return "", errors.New("it has no source")
	case clean == ".":
		return "", errors.New(
			"that is the module's folder itself, with .git and dist; choose a file or folder in it")
	case path.IsAbs(clean) || !filepath.IsLocal(filepath.FromSlash(clean)):
		return "", errors.New("it is not in the module's folder; copy it there, or let Config.Before copy it")
	}
	return clean, nil
}

// resolveLinks returns the path of source without symlinks, as git knows it, or an error if they
// leave root.
func resolveLinks(root *os.Root, source string) (string, error) {
	if _, err := root.Stat(filepath.FromSlash(source)); err != nil {
		return "", sourceError(err)
	}
	dir, err := filepath.EvalSymlinks(root.Name())
	if err != nil {
		return "", err
	}
	physical, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(source)))
	if err != nil {
		return "", err
	}
	if physical, err = filepath.Rel(dir, physical); err != nil {
		return "", err
	}
	return filepath.ToSlash(physical), nil
}

// sourceError returns err without the path, which the caller adds.
func sourceError(err error) error {
	var pathErr *fs.PathError
	if !errors.As(err, &pathErr) {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	if strings.Contains(pathErr.Err.Error(), "escapes") {
		return errors.New("a symlink in its path leaves the folder")
	}
	return pathErr.Err
}
