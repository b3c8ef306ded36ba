// Package image combines layers, a configuration and annotations into OCI images and an index
// (image-spec 1.1). It takes a plan and finished layers and returns values of
// go-containerregistry; it compresses nothing, reads no layer and writes nothing.
package image

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/thimble-build/thimble/build/plan"
)

// User is the nonroot user of distroless images. It runs the program if neither Config nor a base
// sets a user.
const User = "65532:65532"

// thimble's labels, besides those of image-spec's annotations.md.
const (
	// LabelModuleVersion is the version that the go command stamped, if it differs from the
	// image's version; LabelDirty is "true" if the tree differs from the revision.
	LabelModuleVersion = "build.thimble.module-version"
	LabelDirty         = "build.thimble.dirty"
)

// Layer is a finished layer and the name for its history entry.
type Layer struct {
	v1.Layer
	Name string
}

// Input is the content of an image for one platform.
type Input struct {
	Plan     *plan.Plan
	Image    plan.Image
	Platform plan.Platform
	// Binary is the image's own program, an absolute path in the image.
	Binary string
	// Entrypoint replaces the binary as the entrypoint. Empty but not nil means no entrypoint:
	// Runtime.Args are then the command.
	Entrypoint []string
	// Needs are the names of the needs for which the layers have files.
	Needs []string
	// Base is below the layers; nil for scratch.
	Base *Base
	// Layers from the bottom to the top.
	Layers []Layer
}

// Build returns the image. Config's environment, labels and working folder override thimble's,
// which override the base's.
func Build(in Input) (v1.Image, error) {
	p, run, base := in.Plan, in.Image.Runtime, in.Base.inherit()
	about := in.labels()
	config := v1.ConfigFile{
		OS: in.Platform.OS, Architecture: in.Platform.Architecture, Variant: in.Platform.Variant,
		Created: v1.Time{Time: p.Created()},
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{
			User:         cmp.Or(run.User, base.User, User),
			Entrypoint:   entrypoint(in),
			Cmd:          run.Args,
			WorkingDir:   cmp.Or(run.WorkingDir, base.WorkingDir, "/"),
			Env:          environment(in, base.Env),
			Labels:       base.Labels,
			StopSignal:   cmp.Or(run.StopSignal, base.StopSignal),
			ExposedPorts: base.ExposedPorts,
			Volumes:      base.Volumes,
		},
	}
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	maps.Copy(config.Config.Labels, about)
	maps.Copy(config.Config.Labels, run.Labels)
	for _, port := range run.Ports {
		if config.Config.ExposedPorts == nil {
			config.Config.ExposedPorts = map[string]struct{}{}
		}
		if !strings.Contains(port, "/") {
			port += "/tcp"
		}
		config.Config.ExposedPorts[port] = struct{}{}
	}
	for _, volume := range run.Volumes {
		if config.Config.Volumes == nil {
			config.Config.Volumes = map[string]struct{}{}
		}
		config.Config.Volumes[volume] = struct{}{}
	}
	if h := run.Healthcheck; h != nil {
		config.Config.Healthcheck = &v1.HealthConfig{
			Test: healthcheck(h.Command, in.Binary), Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.Start, Retries: h.Retries,
		}
	}

	img, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image,
		types.OCIManifestSchema1), types.OCIConfigJSON), &config)
	if err != nil {
		return nil, fmt.Errorf("build the image: %w", err)
	}
	history := v1.History{Created: v1.Time{Time: p.Created()}, Comment: p.Kit.Path + " " + p.Kit.Version}
	if img, err = in.Base.put(img, history); err != nil {
		return nil, fmt.Errorf("build the image: %w", err)
	}
	for _, l := range in.Layers {
		history.CreatedBy = "thimble " + l.Name
		img, err = mutate.Append(img, mutate.Addendum{Layer: l.Layer, History: history})
		if err != nil {
			return nil, fmt.Errorf("build the image: layer %s: %w", l.Name, err)
		}
	}
	annotated, ok := mutate.Annotations(img, about).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("build the image: annotations: not an image")
	}
	return annotated, nil
}

// Index returns the index of an image's platforms, in the plan's order: images has one image for
// each. base is the base of these images; nil for scratch.
func Index(p *plan.Plan, img plan.Image, base *Base, images []v1.Image) (v1.ImageIndex, error) {
	if len(images) != len(p.Platforms) {
		return nil, fmt.Errorf("build the index of %s: %d images for %d platforms", img.Name,
			len(images), len(p.Platforms))
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, platform := range p.Platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: images[i],
			Descriptor: v1.Descriptor{
				Platform: &v1.Platform{OS: platform.OS, Architecture: platform.Architecture,
					Variant: platform.Variant},
			},
		})
	}
	about := labels(p, img)
	if base != nil && base.Index != "" {
		about[imagespec.AnnotationBaseImageDigest] = base.Index
	}
	annotated, ok := mutate.Annotations(index, about).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("build the index of %s: annotations: not an index", img.Name)
	}
	return annotated, nil
}

// labels returns the labels of an image for one platform.
func (in Input) labels() map[string]string {
	all := labels(in.Plan, in.Image)
	if in.Base != nil && in.Base.Digest != "" {
		all[imagespec.AnnotationBaseImageDigest] = in.Base.Digest
	}
	return all
}

// labels returns the image's description, used as labels of the configuration and as annotations
// of the manifest and the index. Unknown values are left out.
func labels(p *plan.Plan, img plan.Image) map[string]string {
	all := map[string]string{
		imagespec.AnnotationCreated:       p.Created().Format("2006-01-02T15:04:05Z"),
		imagespec.AnnotationRevision:      p.Revision,
		imagespec.AnnotationVersion:       p.Version,
		imagespec.AnnotationSource:        p.Source,
		imagespec.AnnotationTitle:         img.Title,
		imagespec.AnnotationLicenses:      img.Licenses,
		imagespec.AnnotationBaseImageName: img.Base,
	}
	if p.ModuleVersion != p.Version {
		all[LabelModuleVersion] = p.ModuleVersion
	}
	if p.Dirty {
		all[LabelDirty] = "true"
	}
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	return all
}

// environment returns the base's variables, or on scratch a PATH with only the binary's folder;
// then the paths of the certificates and the home folder; then Config's variables.
func environment(in Input, env []string) []string {
	if !has(env, "PATH") {
		env = append(env, "PATH="+path.Dir(in.Binary))
	}
	if slices.Contains(in.Needs, plan.NeedCACertificates) {
		env = set(env, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt")
	}
	if home := home(in); home != "" {
		env = set(env, "HOME="+home)
	}
	for _, e := range in.Image.Runtime.Env {
		name, _, _ := strings.Cut(e, "=")
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		env = append(env, e)
	}
	return env
}

func entrypoint(in Input) []string {
	switch {
	case in.Entrypoint == nil:
		return []string{in.Binary}
	case len(in.Entrypoint) == 0:
		return nil
	}
	return in.Entrypoint
}

// home returns the home folder of the user that runs the process; "" if unknown.
func home(in Input) string {
	uid, _, _ := strings.Cut(in.Image.Runtime.User, ":")
	for _, u := range in.Image.Users {
		if strconv.Itoa(u.UID) == uid {
			return u.Home
		}
	}
	if slices.Contains(in.Needs, plan.NeedHome) {
		return "/home/nonroot"
	}
	return ""
}

// healthcheck returns the command in Docker's form without a shell.
func healthcheck(command []string, binary string) []string {
	if len(command) > 0 && path.IsAbs(command[0]) {
		return append([]string{"CMD"}, command...)
	}
	return append([]string{"CMD", binary}, command...)
}
