package build

import (
	"archive/tar"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/thimble-build/thimble/build/internal/baseimage"
	"github.com/thimble-build/thimble/build/internal/cache"
	"github.com/thimble-build/thimble/build/internal/debian"
	"github.com/thimble-build/thimble/build/internal/image"
	"github.com/thimble-build/thimble/build/internal/layerfs"
	"github.com/thimble-build/thimble/build/internal/limit"
	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/internal/progress"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/internal/store"
	"github.com/thimble-build/thimble/build/internal/tree"
	"github.com/thimble-build/thimble/build/plan"
)

// base is what an image for one platform stands on, on its way into it.
type base struct {
	image.Base
	// key stands for the content of the layers.
	key string
	// files are what the layers show; found out when they are asked for, and kept.
	files func() (*layerfs.FS, error)
	// components tells what brought the files; nothing is known of those of an image.
	components func() ([]tree.Component, error)
	// locked is the entry of an image.
	locked *plan.ImageLock
	// holds is what there is, for people.
	holds string
}

// bases are those of a run, each made once.
type bases struct {
	mu   sync.Mutex
	made map[string]func() (*base, error)
	// one packs at a time: each uses all cores.
	one sync.Mutex
	// unpacked are folders to be removed when the run ends.
	unpacked []string
}

// baseOf is what a unit stands on; nil for scratch.
func (r *run) baseOf(ctx context.Context, u *unit) (*base, error) {
	use, stands := baseUse(u)
	if !stands {
		return nil, nil
	}
	return r.useBase(ctx, use)
}

// baseUse is what a unit asks of a base; false for scratch.
func baseUse(u *unit) (lock.Use, bool) {
	return lock.Use{Base: u.image.Base, Packages: u.image.Packages, Platform: u.platform}, u.image.Base != plan.BaseScratch
}

func (r *run) useBase(ctx context.Context, use lock.Use) (*base, error) {
	r.bases.mu.Lock()
	key := use.String() + " " + use.Platform.String()
	once := r.bases.made[key]
	if once == nil {
		once = sync.OnceValues(func() (*base, error) { return r.makeBase(ctx, use) })
		if r.bases.made == nil {
			r.bases.made = map[string]func() (*base, error){}
		}
		r.bases.made[key] = once
	}
	r.bases.mu.Unlock()
	return once()
}

func (r *run) makeBase(ctx context.Context, use lock.Use) (b *base, err error) {
	err = r.Stage(fmt.Sprintf("base %s %s", use.Base, use.Platform), func() (string, error) {
		if lock.IsDebian(use.Base) {
			b, err = r.debianBase(ctx, use)
		} else {
			b, err = r.imageBase(ctx, use)
		}
		if err != nil {
			return "", err
		}
		return b.holds, nil
	})
	return b, err
}

// debianBase is made of packages. What the cache has is not made again, and no package
// is opened for it.
func (r *run) debianBase(ctx context.Context, use lock.Use) (*base, error) {
	locked := &r.resolved.Plan.Lock.Debian[0] // of the one suite
	arch, err := debian.Architecture(locked.Suite, use.Platform)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", use, err)
	}
	selection, err := debian.Find(locked, use.Base, use.Packages, arch)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", use, err)
	}
	files := sync.OnceValues(func() (*tree.Tree, error) {
		if err := selection.Fetch(ctx, debianMirror(r.Session)); err != nil {
			return nil, fmt.Errorf("base %s: %w", use, err)
		}
		dir, err := os.MkdirTemp("", "thimble-base-")
		if err != nil {
			return nil, fmt.Errorf("base %s: unpack: %w", use, err)
		}
		r.bases.mu.Lock()
		r.bases.unpacked = append(r.bases.unpacked, dir)
		r.bases.mu.Unlock()
		t, err := selection.Tree(ctx, debianMirror(r.Session), dir)
		if err != nil {
			return nil, fmt.Errorf("base %s for %s: %w", use, use.Platform, err)
		}
		return t, nil
	})
	r.bases.one.Lock()
	defer r.bases.one.Unlock()
	layer, err := r.layer("base", selection.Key(), files)(ctx)
	if err != nil {
		return nil, err
	}
	b := &base{key: selection.Key(), holds: progress.Count(len(selection.Locked), "package")}
	b.Name, b.Layers, b.Config = use.Base, []image.Layer{layer}, debianConfig(selection)
	b.components = sync.OnceValues(func() ([]tree.Component, error) {
		return value(r, "components-base-"+b.key, func() ([]tree.Component, error) {
			t, err := files()
			if err != nil {
				return nil, err
			}
			return t.Components(ctx)
		})
	})
	b.files = r.filesOf(ctx, b, nil)
	return b, nil
}

// debianConfig is that of distroless images, as far as it does not depend on the service.
func debianConfig(s debian.Selection) v1.Config {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if slices.ContainsFunc(s.Locked, func(p plan.DebianPackage) bool { return p.Name == "ca-certificates" }) {
		env = append(env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
	}
	return v1.Config{Env: env}
}

// debianMirror is where packages come from.
func debianMirror(r *session.Session) debian.Mirror {
	return debian.Mirror{URL: r.Config.Debian.Mirror, Client: r.Client(), Cache: filepath.Join(r.Cache, "debian")}
}

// imageBase is an image of others, by the lock's digest.
func (r *run) imageBase(ctx context.Context, use lock.Use) (*base, error) {
	locked := lock.Image(r.resolved.Plan.Lock, use.Base)
	if locked == nil {
		return nil, fmt.Errorf("base %s is not in the plan's lock", use)
	}
	img, err := baseImages(r.Session, r.cache).Image(ctx, *locked, use.Platform)
	if err != nil {
		return nil, err
	}
	b := &base{locked: locked, holds: progress.Count(len(img.Layers), "layer")}
	b.Name, b.Digest, b.Index, b.Config, b.History = locked.Reference, img.Digest.String(), locked.Digest, img.Config.Config, img.Config.History
	h := sha256.New()
	for _, l := range img.Layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(h, digest)
		b.Layers = append(b.Layers, image.Layer{Layer: l, Name: "base"})
	}
	b.key = hex.EncodeToString(h.Sum(nil))
	b.components = func() ([]tree.Component, error) {
		return []tree.Component{imageComponent(*locked, img.Digest, use.Platform)}, nil
	}
	b.files = r.filesOf(ctx, b, img.Config.RootFS.DiffIDs)
	_, err = b.files() // the hashes of the tars are checked with it
	return b, err
}

// imageComponent is an image that others stand on. What is in it, its own SBOMs say.
func imageComponent(l plan.ImageLock, digest v1.Hash, platform plan.Platform) tree.Component {
	c := tree.Component{Name: l.Reference, Version: digest.String(), SHA256: digest.Hex, Description: "base image " + l.Reference}
	qualifiers := map[string]string{"arch": platform.Architecture}
	name := path.Base(filepath.ToSlash(l.Reference))
	if ref, err := baseimage.Parse(l.Reference); err == nil && ref.Kind == baseimage.Registry {
		c.Name, name = ref.Repository, path.Base(ref.Repository)
		qualifiers["repository_url"] = ref.Repository
		if ref.Tag != "" {
			qualifiers["tag"] = ref.Tag
		}
	}
	c.PURL = packageurl.NewPackageURL(packageurl.TypeOCI, "", strings.ToLower(name), c.Version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
	for _, p := range l.Platforms {
		if p.Platform == platform {
			for _, s := range p.SBOMs {
				c.SBOMs = append(c.SBOMs, s.Reference)
			}
		}
	}
	return c
}

// baseImages is where images of others come from; c keeps what was read.
func baseImages(s *session.Session, c *cache.Cache) *baseimage.Store {
	return &baseimage.Store{
		Abs: s.Path,
		Open: func(ctx context.Context, repository string) (*registry.Repository, error) {
			return store.OpenRepository(ctx, s, repository, nil, true)
		},
		Cache: c, Compression: plan.Compression(cmp.Or(string(s.Config.Compression), string(plan.Gzip))),
	}
}

// filesOf reads the layers of a base, once; diffIDs, if any, are what their tars must
// have as hashes.
func (r *run) filesOf(ctx context.Context, b *base, diffIDs []v1.Hash) func() (*layerfs.FS, error) {
	return sync.OnceValues(func() (*layerfs.FS, error) {
		var layers []layerfs.Layer
		for i, l := range b.Layers {
			digest, err := l.Digest()
			if err != nil {
				return nil, err
			}
			key := "files-" + digest.String()
			if diffIDs != nil {
				key += " " + diffIDs[i].String()
			}
			files, err := value(r, key, func() (layerfs.Layer, error) {
				content, err := l.Uncompressed()
				if err != nil {
					return nil, err
				}
				h := sha256.New()
				files, err := layerfs.Scan(io.TeeReader(limit.Bytes(limit.Reader(ctx, content), store.MaxLayer), h))
				if err = errors.Join(err, content.Close()); err != nil {
					return nil, err
				}
				if got := hex.EncodeToString(h.Sum(nil)); diffIDs != nil && got != diffIDs[i].Hex {
					return nil, fmt.Errorf("%w: its content is sha256:%s, and the configuration says %s", cache.ErrCorrupt, got, diffIDs[i])
				}
				return files, nil
			})
			if err != nil {
				return nil, fmt.Errorf("base %s: layer %s: %w", b.Name, digest, err)
			}
			layers = append(layers, files)
		}
		fs, err := layerfs.Stack(layers...)
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", b.Name, err)
		}
		return fs, nil
	})
}

// covered are the needs that the base serves.
func (r *run) covered(u *unit) ([]string, error) {
	if u.base == nil {
		return nil, nil
	}
	uid, _, _ := strings.Cut(cmp.Or(u.image.Runtime.User, u.base.Config.User, image.User), ":")
	for _, own := range u.image.Users {
		if strconv.Itoa(own.UID) == uid {
			uid = "0" // the layer with the assets brings the user, and the home
		}
	}
	return value(r, "covers-"+u.base.key+" "+uid, func() ([]string, error) {
		files, err := u.base.files()
		if err != nil {
			return nil, err
		}
		return files.Covers(uid), nil
	})
}

// accounts are the base's users, where some are to be added to them.
func (u *unit) accounts() (tree.Accounts, error) {
	if u.base == nil || !slices.Contains(u.files(), plan.NeedUsers) && len(u.image.Users) == 0 {
		return tree.Accounts{}, nil
	}
	files, err := u.base.files()
	if err != nil {
		return tree.Accounts{}, err
	}
	passwd, group := files.Users()
	return tree.Accounts{Passwd: passwd, Group: group}, nil
}

// onBase is a tree as it lies on the base.
func (u *unit) onBase(t *tree.Tree) (*tree.Tree, error) {
	if u.base == nil || t.Empty() {
		return t, nil
	}
	files, err := u.base.files()
	if err != nil {
		return nil, err
	}
	type found struct {
		tree.Node
		ok bool
	}
	known := map[string]found{} // a look for what is not there takes long
	placed, err := t.OverlaidOn(func(p string) (tree.Node, bool) {
		f, ok := known[p]
		if !ok {
			var e layerfs.Entry
			if e, f.ok = files.Lookup("/" + p); e.Type == tar.TypeDir {
				f.Node = tree.Folder(strings.TrimPrefix(e.Path, "/"), e.Mode, e.UID, e.GID)
			}
			known[p] = f
		}
		return f.Node, f.ok
	})
	if err != nil {
		return nil, fmt.Errorf("put assets onto the base %s: %w", u.image.Base, err)
	}
	return placed, nil
}

// closeBases removes what was unpacked.
func (r *run) closeBases() {
	r.bases.mu.Lock()
	defer r.bases.mu.Unlock()
	for _, dir := range r.bases.unpacked {
		if err := os.RemoveAll(dir); err != nil {
			r.Progress.Notice(fmt.Sprintf("%s was not removed: %v", dir, err))
		}
	}
}
