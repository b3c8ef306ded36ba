package kube

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/atomicfile"
)

// lock is the content of a lock: what was resolved.
type lock struct {
	// Version is the release's.
	Version string `json:"version"`
	// Module is the path of the service's module.
	Module string `json:"module"`
	// Keys are the public keys that count when the images are verified again, in PEM.
	Keys []string `json:"keys,omitempty"`
	// Images are those that the manifests name, sorted by name.
	Images []image `json:"images"`
}

// readLock returns the images of a lock. The error is fs.ErrNotExist if there is no file.
func readLock(file string) (source, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return source{}, fmt.Errorf("read lock: %w", err)
	}
	fail := func(err error) (source, error) {
		return source{}, fmt.Errorf("read lock %s: %w; remove it to resolve again", file, err)
	}
	var l lock
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return fail(err)
	}
	for _, img := range l.Images {
		if _, err := v1.NewHash(img.Digest); err != nil || img.Name == "" || len(img.Repositories) == 0 {
			return fail(fmt.Errorf("the image %q has no digest or no repository", img.Name))
		}
	}
	return source{shown: "the lock " + file, version: l.Version, module: l.Module, images: l.Images,
		keys: l.Keys, replayed: true}, nil
}

// writeLock writes the images that manifests name.
func (f source) writeLock(file string, keys []string, wanted []target, digests map[target]string) error {
	l := lock{Version: f.version, Module: f.module, Keys: keys, Images: []image{}}
	for _, img := range f.images {
		for _, t := range wanted {
			if t.image == img.Name {
				img.Digest = digests[t]
				l.Images = append(l.Images, img)
				break
			}
		}
	}
	slices.SortFunc(l.Images, func(a, b image) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("write lock: %w", err)
	}
	return atomicfile.Write(file, append(b, '\n'), 0o644)
}
