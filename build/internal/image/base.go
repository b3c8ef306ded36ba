package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Base is the base of an image, below the image's other layers.
type Base struct {
	// Name is a reference, or the name of a base that thimble makes. Digest is that of the
	// manifest for this platform, Index that of the index or the only manifest; both are empty
	// for a base that is not an image.
	Name, Digest, Index string
	// Config is inherited: see inherit.
	Config v1.Config
	// History describes the base image's layers and its other build steps; empty for a base that
	// is not an image.
	History []v1.History
	// Layers from the bottom to the top.
	Layers []Layer
}

// inherit returns the configuration that FROM inherits in a Dockerfile (Dockerfile reference;
// image-spec's config.md leaves it to the builder): user, environment, working folder, labels,
// ports, volumes, stop signal. Settings for the base's program are dropped: entrypoint, command,
// healthcheck, shell, and triggers for builds (ONBUILD).
func (b *Base) inherit() v1.Config {
	if b == nil {
		return v1.Config{}
	}
	c := b.Config
	return v1.Config{
		User: c.User, Env: slices.Clone(c.Env), WorkingDir: c.WorkingDir, Labels: maps.Clone(c.Labels),
		ExposedPorts: maps.Clone(c.ExposedPorts), Volumes: maps.Clone(c.Volumes), StopSignal: c.StopSignal,
	}
}

// set replaces or adds variables.
func set(env []string, pairs ...string) []string {
	for _, e := range pairs {
		name, _, _ := strings.Cut(e, "=")
		at := slices.IndexFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if at >= 0 {
			env[at] = e
		} else {
			env = append(env, e)
		}
	}
	return env
}

// has says whether a variable is set.
func has(env []string, name string) bool {
	return slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
}

// put adds the base's layers to an image, with their history unchanged.
func (b *Base) put(img v1.Image, own v1.History) (v1.Image, error) {
	if b == nil {
		return img, nil
	}
	history, withLayer := b.History, 0
	for _, h := range history {
		if !h.EmptyLayer {
			withLayer++
		}
	}
	if withLayer != len(b.Layers) { // no history, or a wrong one
		history = nil
		for range b.Layers {
			h := own
			h.CreatedBy = "thimble base " + b.Name
			history = append(history, h)
		}
	}
	next := 0
	for _, h := range history {
		add := mutate.Addendum{History: h}
		if !h.EmptyLayer {
			add.Layer = b.Layers[next].Layer
			next++
		}
		var err error
		if img, err = mutate.Append(img, add); err != nil {
			return nil, fmt.Errorf("layer of the base: %w", err)
		}
	}
	return img, nil
}
