// Package ociread reads manifests, layouts and images that need not be trusted (OCI image-spec
// 1.1): its results take no more memory than those of a real image, and a layer is read only when
// it is needed.
package ociread

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// MaxSize is the largest manifest, in bytes. Registries need not accept larger ones (OCI
	// distribution-spec 1.1, "Pushing Manifests").
	MaxSize = 4 << 20
	// MaxEntries is the maximum number of images in an index, and of layers in an image.
	MaxEntries = 500
)

var errSize = fmt.Errorf("it is larger than %d MiB", MaxSize>>20)

// ParseIndex parses an index of at most [MaxEntries] images.
func ParseIndex(raw []byte) (*v1.IndexManifest, error) {
	if err := countAtMost(raw, "manifests"); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	return index, nil
}

// ParseImage parses the manifest of an image of at most [MaxEntries] layers.
func ParseImage(raw []byte) (*v1.Manifest, error) {
	if err := countAtMost(raw, "layers"); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	return m, nil
}

// ParseConfig parses the configuration of an image (OCI image-spec 1.1, config.md) of at
// most [MaxSize] bytes and [MaxEntries] layers.
func ParseConfig(raw []byte) (*v1.ConfigFile, error) {
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("read the configuration: %w", errSize)
	}
	if err := countAtMost(raw, "history"); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(config.RootFS.DiffIDs) > MaxEntries {
		return nil, fmt.Errorf("read the configuration: it has more than %d layers", MaxEntries)
	}
	return config, nil
}

// Entries returns the valid entries of an index, and the number of invalid ones. More than most
// entries are an error.
func Entries(index []byte, most int) (all []v1.Descriptor, bad int, err error) {
	found, err := entries(index, "manifests", most+1)
	if err == nil && len(found) > most {
		err = fmt.Errorf("it has more than %d entries", most)
	}
	if err != nil {
		return nil, 0, err
	}
	all = descriptors(found)
	return all, len(found) - len(all), nil
}

// Listed returns the first valid entries of an index, such as a list of referrers. It ignores
// invalid entries, which other programs may have written.
func Listed(index []byte, limit int) ([]v1.Descriptor, error) {
	raw, err := entries(index, "manifests", limit)
	if err != nil {
		return nil, err
	}
	return descriptors(raw), nil
}

func descriptors(entries []json.RawMessage) (all []v1.Descriptor) {
	for _, e := range entries {
		var d v1.Descriptor
		if json.Unmarshal(e, &d) == nil && d.Digest.Hex != "" {
			all = append(all, d)
		}
	}
	return all
}

func countAtMost(raw []byte, field string) error {
	found, err := entries(raw, field, MaxEntries+1)
	if err == nil && len(found) > MaxEntries {
		err = fmt.Errorf("it has more than %d %s", MaxEntries, field)
	}
	return err
}

// entries splits a list of a document, up to a number of entries, without decoding them. An entry
// of three bytes takes fifty times as much when it is decoded.
func entries(raw []byte, field string, limit int) ([]json.RawMessage, error) {
	if len(raw) > MaxSize {
		return nil, errSize
	}
	var is struct{ Manifests, Layers, History json.RawMessage }
	if err := json.Unmarshal(raw, &is); err != nil {
		return nil, err
	}
	list := map[string]json.RawMessage{"manifests": is.Manifests, "layers": is.Layers,
		"history": is.History}[field]
	if len(list) == 0 || string(list) == "null" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(list))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return nil, errors.New("its " + field + " are not a list")
	}
	var all []json.RawMessage
	for d.More() && len(all) < limit {
		var entry json.RawMessage
		if err := d.Decode(&entry); err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, nil
}
