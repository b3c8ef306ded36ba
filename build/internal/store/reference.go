package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/thimble-build/thimble/build/internal/attest"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
)

// Tag returns the tag of a reference, also if a digest follows the tag; "latest" if it has
// neither.
func Tag(ref string) string {
	named, _, isDigest := strings.Cut(ref, "@")
	if tagged, err := name.NewTag(named, name.StrictValidation); err == nil {
		return tagged.TagStr()
	}
	if isDigest {
		return ""
	}
	return name.DefaultTag
}

// ReferenceOf returns what a release must not contradict of a reference to a repository.
func ReferenceOf(repo *registry.Repository, ref string) attest.Reference {
	return attest.Reference{Repository: repo.Name().RepositoryStr(), Tag: Tag(ref)}
}

// Purpose is why an image is looked for.
type Purpose int

const (
	// ToRead finds the image of a tag or digest, in a repository that is only read.
	ToRead Purpose = iota
	// ToSign finds the image of a digest, in a repository that is written. A tag and a layout are
	// errors.
	ToSign
)

// Find opens the repository of a reference, and returns the digest that the reference resolves
// to.
func Find(ctx context.Context, s *session.Session, ref string,
	purpose Purpose) (*registry.Repository, v1.Hash, error) {
	if dir, ok := LayoutOf(s, ref); ok && purpose == ToSign {
		return nil, v1.Hash{}, fmt.Errorf(
			"sign %s: it is an OCI layout; \"mage release\" signs the images of a layout, where no "+
				"repository is set", dir)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		shown := fmt.Sprintf("%q", ref)
		if before, _, _ := strings.Cut(ref, "@sha256:"); strings.Contains(before, "@") ||
			strings.Contains(ref, "://") {
			shown = "the reference" // it may contain a password
		}
		return nil, v1.Hash{}, fmt.Errorf(
			"parse %s: it is not a reference to an image, such as ghcr.io/acme/api:v1.2.3, or a folder "+
				"with an OCI layout", shown)
	}
	repository, digestRef, isDigest := strings.Cut(ref, "@")
	if !isDigest {
		if purpose == ToSign {
			return nil, v1.Hash{}, fmt.Errorf(
				"%s is a tag, which may point to something else a moment later; give the digest, such as "+
					"%s@sha256:…", ref, parsed.Context().Name())
		}
		repository = strings.TrimSuffix(ref, ":"+parsed.Identifier())
	} else if tagged, err := name.NewTag(repository, name.StrictValidation); err == nil {
		repository = strings.TrimSuffix(repository, ":"+tagged.TagStr())
	}
	repo, err := OpenRepository(ctx, s, repository, nil, purpose == ToRead)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	if isDigest {
		digest, err := v1.NewHash(digestRef)
		if err != nil {
			repo.Close()
			return nil, digest, fmt.Errorf("parse %s: %w", ref, err)
		}
		return repo, digest, nil
	}
	digest, err := repo.Resolve(ctx, parsed.Identifier())
	if err == nil && digest.Hex == "" {
		err = fmt.Errorf("find %s: there is no such image", ref)
	}
	if err != nil {
		repo.Close()
		return nil, v1.Hash{}, err
	}
	return repo, digest, nil
}
