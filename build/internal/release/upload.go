package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/thimble-build/thimble/build/internal/artifact"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/session"
	"github.com/thimble-build/thimble/build/plan"
)

// Upload is an index with its destination.
type Upload struct {
	Destination
	Index v1.ImageIndex
	// Digest is the digest of the index.
	Digest v1.Hash
}

// Uploads are the uploads to all destinations, in their order.
type Uploads []Upload

// Uploads returns which index goes where, with the tags of the final plan. It refuses a tag
// that must not move and points elsewhere.
//
// The tags of the final plan differ if a file was found during the compilation that makes the
// tree dirty. Then the new tags are looked up now.
func (to Destinations) Uploads(ctx context.Context, indexes []artifact.Index) (Uploads, error) {
	uploads, changed := to.uploads(indexes), false
	for i, u := range uploads {
		tags := planned(imageOf(indexes, u.Image))
		before := slices.DeleteFunc(slices.Clone(u.Tags), func(t registry.Tag) bool { return t.Moving })
		if slices.Equal(tags, before) {
			continue
		}
		changed = true
		moving := slices.DeleteFunc(slices.Clone(u.Tags), func(t registry.Tag) bool { return !t.Moving })
		uploads[i].Tags = append(tags, moving...)
	}
	if changed {
		return uploads.lookUp(ctx)
	}
	return uploads, uploads.free()
}

// PreviewUploads returns which index goes where, under one tag that moves. A preview is the
// newest image of a revision, which changes with the toolchain and the settings.
func (to Destinations) PreviewUploads(indexes []artifact.Index, tag string) Uploads {
	uploads := to.uploads(indexes)
	for i := range uploads {
		uploads[i].Tags = []registry.Tag{{Name: tag, Moving: true}}
	}
	return uploads
}

func (to Destinations) uploads(indexes []artifact.Index) (all Uploads) {
	for _, d := range to {
		for _, index := range indexes {
			if index.Image.Name == d.Image {
				all = append(all, Upload{Destination: d, Index: index.V1, Digest: index.Descriptor.Digest})
			}
		}
	}
	return all
}

// imageOf returns the image with a name.
func imageOf(indexes []artifact.Index, name string) plan.Image {
	for _, index := range indexes {
		if index.Image.Name == name {
			return index.Image
		}
	}
	return plan.Image{}
}

// Push uploads every index and everything that it refers to, without a tag.
func Push(ctx context.Context, s *session.Session, uploads Uploads) error {
	for _, u := range uploads {
		err := s.Stage("push "+u.Name, func() (string, error) { return "", u.repo.Push(ctx, u.Index) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Tag moves the tags after everything else is in place and verified. moved says that some tags
// were or may have been moved, also if there is an error.
func Tag(ctx context.Context, uploads Uploads) (moved bool, err error) {
	// With several repositories, look up all their tags before the first one moves. So a tag
	// that was taken meanwhile in the last repository also stops the first.
	if len(uploads) > 1 {
		if _, err := uploads.lookUp(ctx); err != nil {
			return false, err
		}
	}
	for i, u := range uploads {
		if err := u.repo.Tag(ctx, u.Digest, u.Tags); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w; the tags of %s are in place", err, uploads[:i].names())
			}
			return i > 0 || errors.As(err, new(*registry.MovedError)), err
		}
	}
	return len(uploads) > 0, nil
}

// Public adds to an error what the registries may contain by now. moved says that some tags
// were or may have been moved.
func (uploads Uploads) Public(err error, moved bool) error {
	if err == nil || len(uploads) == 0 {
		return err
	}
	var all []string
	for _, u := range uploads {
		all = append(all, u.Name+"@"+u.Digest.String())
	}
	list := strings.Join(all, ", ")
	if moved {
		return fmt.Errorf("%w; %s is there and verified; run it again to continue", err, list)
	}
	return fmt.Errorf("%w; no tag was moved, %s may be there by digest; run it again to continue", err, list)
}

// free refuses a tag that must not move and pointed elsewhere, before anything is pushed.
// Tagging checks again.
func (uploads Uploads) free() error {
	for _, u := range uploads {
		for _, tag := range u.Tags {
			if is, ok := u.found[tag.Name]; ok && !tag.Moving && is != u.Digest {
				return fmt.Errorf(
					"tag %s:%s: it points to %s already, but this is %s; release another version, or list "+
						"the tag as a moving one", u.Name, tag.Name, is, u.Digest)
			}
		}
	}
	return nil
}

// lookUp looks up again where the tags that must not move point, and refuses like free.
func (uploads Uploads) lookUp(ctx context.Context) (Uploads, error) {
	uploads = slices.Clone(uploads)
	for i, u := range uploads {
		found := map[string]v1.Hash{}
		maps.Copy(found, u.found)
		for _, tag := range u.Tags {
			if tag.Moving {
				continue
			}
			is, err := u.repo.Resolve(ctx, tag.Name)
			if err != nil {
				return nil, err
			}
			if delete(found, tag.Name); is.Hex != "" {
				found[tag.Name] = is
			}
		}
		uploads[i].found = found
	}
	return uploads, uploads.free()
}

// names returns the names of the repositories.
func (uploads Uploads) names() string {
	var all []string
	for _, u := range uploads {
		all = append(all, u.Name)
	}
	return strings.Join(all, ", ")
}
