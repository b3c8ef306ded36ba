// Package deployment writes what runs an image: a Deployment of Kubernetes with a Service, or a
// service of a compose file. It takes what a build left in the output folder: the manifest, and the
// images' configurations. The container gets what the image needs, and no more: a read-only root
// file system, no capabilities, no new privileges, /tmp only if the program uses it. The text is the
// same for the same images.
package deployment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"

	"github.com/thimble-build/thimble/build/internal/distfolder"
	"github.com/thimble-build/thimble/build/plan"
	"github.com/thimble-build/thimble/build/report"
)

// Service is an image, and what it needs to run.
type Service struct {
	// Name is the image's. Reference has the digest, if the image is in a registry.
	Name, Reference string
	// Released says that Reference can be pulled.
	Released bool
	// User is "uid" or "uid:gid" or a name, as in the image.
	User string
	// Ports are written as 8080/tcp, in ascending order. Volumes are absolute paths, sorted.
	Ports, Volumes []string
	// Tmp says that the program needs a writable /tmp.
	Tmp bool
	// Capabilities are those that files in the image give, such as cap_net_bind_service.
	Capabilities []string
	// Health is the image's health check; nil if there is none.
	Health *v1.HealthConfig
}

// Read returns the images of an output folder; only the named one, unless name is empty. shown is
// the folder's name for a reader.
func Read(ctx context.Context, dir, shown, name string) ([]Service, error) {
	none := fmt.Errorf("write a manifest: %s has no image yet; make one with \"mage image\": %w",
		shown, fs.ErrNotExist)
	dist, err := distfolder.Open(dir, ".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w", err)
	}
	defer dist.Close() // only read
	m, err := dist.Manifest(distfolder.ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, fmt.Errorf("write a manifest: %w", err)
	}
	var all []Service
	var names []string
	for _, img := range m.Images {
		names = append(names, img.Name)
		if name != "" && name != img.Name {
			continue
		}
		s, err := service(ctx, dist, m, img)
		if err != nil {
			return nil, fmt.Errorf("write a manifest for %s: %w", img.Name, err)
		}
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("write a manifest: there is no image %q; the images are %s", name,
			strings.Join(names, ", "))
	}
	return all, nil
}

// service reads an image of the folder.
func service(ctx context.Context, dist *distfolder.Folder, m *report.Manifest,
	img report.ImageResult) (Service, error) {
	missing := errors.New(`its layout is missing; make it with "mage image"`)
	if img.Layout == "" || len(img.Platforms) == 0 {
		return Service{}, missing
	}
	index, err := dist.Index(img.Layout, img.Digest)
	if err != nil {
		return Service{}, err
	}
	if index == nil {
		return Service{}, missing
	}
	first, err := index.Image(ctx, img.Platforms[0].Digest)
	if err != nil {
		return Service{}, err
	}
	file, err := first.ConfigFile()
	if err != nil {
		return Service{}, err
	}
	s := Service{
		Name: img.Name, Reference: img.Reference, User: file.Config.User, Health: file.Config.Healthcheck,
		Ports:   slices.SortedFunc(maps.Keys(file.Config.ExposedPorts), comparePorts),
		Volumes: slices.Sorted(maps.Keys(file.Config.Volumes)),
	}
	for _, p := range img.Platforms {
		s.Tmp = s.Tmp || slices.ContainsFunc(p.Needs,
			func(n report.Need) bool { return n.Name == plan.NeedTmp && !n.Embedded })
	}
	for _, planned := range m.Plan.Images {
		if planned.Name != img.Name {
			continue
		}
		s.Capabilities = slices.Clone(planned.Capabilities)
		for _, a := range planned.Assets {
			s.Capabilities = append(s.Capabilities, a.Capabilities...)
		}
		if planned.Repository != "" && len(m.Signatures) > 0 {
			s.Reference, s.Released = planned.Repository+"@"+img.Digest, true
		}
	}
	slices.Sort(s.Capabilities)
	s.Capabilities = slices.Compact(s.Capabilities)
	return s, nil
}

// document returns a document of YAML with a comment above it.
func document(comment []string, value any) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range comment {
		b.WriteString("# " + line + "\n")
	}
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(value), e.Close()); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), nil
}
