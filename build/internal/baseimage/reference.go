package baseimage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/plan"
)

// Kind is the kind of an image's location.
type Kind int

// The locations that a reference can name.
const (
	Registry Kind = iota
	Layout        // oci:FOLDER
	Archive       // docker-archive:FILE
)

// Reference is a Base of Config that names an image.
type Reference struct {
	Kind Kind
	// Repository is the registry's repository, as written; Path a folder or file.
	Repository, Path string
	// Tag or Digest, for a registry: exactly one is set.
	Tag    string
	Digest v1.Hash
}

// Parse parses a reference. The error explains the format.
func Parse(ref string) (Reference, error) {
	if path, ok := strings.CutPrefix(ref, "oci:"); ok {
		if path == "" {
			return Reference{}, errors.New("base oci: has no folder; write it as oci:FOLDER")
		}
		return Reference{Kind: Layout, Path: path}, nil
	}
	if path, ok := strings.CutPrefix(ref, "docker-archive:"); ok {
		if path == "" {
			return Reference{}, errors.New(
				"base docker-archive: has no file; write it as docker-archive:FILE")
		}
		return Reference{Kind: Archive, Path: path}, nil
	}
	fail := func(why string) (Reference, error) {
		return Reference{}, fmt.Errorf(
			"base %q: %s; it is %s, or an image: registry/path:tag, oci:FOLDER, docker-archive:FILE", ref,
			why,
			strings.Join([]string{plan.BaseScratch, plan.BaseStatic, plan.BaseBase, plan.BaseCC,
				plan.BaseDebian}, ", "))
	}
	if host, _, ok := strings.Cut(ref, "/"); !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return fail("it has no registry")
	}
	if strings.Contains(ref, "://") {
		return fail("it is a URL")
	}
	repository, digest, isDigest := strings.Cut(ref, "@")
	if isDigest {
		h, err := v1.NewHash(digest)
		if err != nil || h.Algorithm != "sha256" {
			return fail("its digest is not valid")
		}
		if tag, err := name.NewTag(repository, name.StrictValidation); err == nil {
			repository = strings.TrimSuffix(repository, ":"+tag.TagStr())
		}
		if _, err := name.NewRepository(repository, name.StrictValidation); err != nil {
			return fail("it is not a reference")
		}
		return Reference{Repository: repository, Digest: h}, nil
	}
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return fail("it has no tag and no digest, or is not a reference")
	}
	return Reference{Repository: strings.TrimSuffix(ref, ":"+tag.TagStr()), Tag: tag.TagStr()}, nil
}
