package kube

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/thimble-build/thimble/build/internal/yamlscalar"
)

// scheme begins the name of an image by the import path of its main package, as in ko.
const scheme = "ko://"

// target is an image in one of its repositories.
type target struct {
	image, repository string
}

// names finds the images of a release by what manifests call them.
type names struct {
	release string
	module  string
	bare    bool
	images  []image
	// repositories are those of all images, by their full names.
	repositories map[string]target
}

func newNames(from source, bare bool) names {
	n := names{release: from.shown, module: from.module, bare: bare, images: from.images,
		repositories: map[string]target{}}
	for _, img := range from.images {
		for _, repository := range img.Repositories {
			if full, err := name.NewRepository(repository); err == nil {
				n.repositories[full.Name()] = target{img.Name, repository}
			}
		}
	}
	return n
}

// find returns the image that a scalar names: ko:// and an import path in any string, a reference
// in a field called image.
func (n names) find(s yamlscalar.Scalar) (target, bool, error) {
	value := strings.TrimSpace(s.Value)
	if strings.HasPrefix(s.Value, scheme) {
		t, err := n.byPackage(strings.TrimPrefix(value, scheme))
		return t, err == nil, err
	}
	if s.Key != "image" || value == "" {
		return target{}, false, nil
	}
	if n.bare {
		if m := bareName.FindStringSubmatch(value); m != nil {
			for _, img := range n.images {
				if img.Name == m[1] {
					return img.target()
				}
			}
		}
	}
	ref, err := name.ParseReference(value)
	if err != nil {
		return target{}, false, nil // Kubernetes says so, and it may be a template of another tool
	}
	t, ok := n.repositories[ref.Context().Name()]
	return t, ok, nil
}

// bareName matches a name without a repository, with or without a tag and a digest.
var bareName = regexp.MustCompile(`^([a-z0-9][a-z0-9._-]*)(?::[\w][\w.-]*)?(?:@sha256:[0-9a-f]{64})?$`)

// byPackage returns the image of a main package. A path that begins with ./ is in the module.
func (n names) byPackage(importPath string) (target, error) {
	shown := scheme + importPath
	if strings.HasPrefix(importPath, "./") && n.module != "" {
		importPath = path.Join(n.module, importPath)
	}
	var found, known []string
	var t target
	for _, img := range n.images {
		known = append(known, scheme+img.Package)
		if img.Package != importPath {
			continue
		}
		found = append(found, img.Name)
		var err error
		if t, _, err = img.target(); err != nil {
			return t, err
		}
	}
	switch len(found) {
	case 0:
		slices.Sort(known)
		return t, fmt.Errorf("%q is no image of %s, which has %s", shown, n.release,
			strings.Join(slices.Compact(known), ", "))
	case 1:
		return t, nil
	}
	return t, fmt.Errorf("%q is the main package of several images: %s; write the full reference of one",
		shown, strings.Join(found, ", "))
}

// target returns the image in its first repository.
func (i image) target() (target, bool, error) {
	if len(i.Repositories) == 0 {
		return target{}, false, errors.New("the image " + i.Name +
			" is in no registry; set THIMBLE_REPOSITORY, such as ghcr.io/acme")
	}
	return target{i.Name, i.Repositories[0]}, true, nil
}

// digests returns the choice of references with a digest.
func (n names) digests(of map[target]string) yamlscalar.Choose {
	return func(s yamlscalar.Scalar) (string, bool, error) {
		t, found, err := n.find(s)
		if !found || err != nil {
			return "", false, err
		}
		return t.repository + "@" + of[t], true, nil
	}
}
