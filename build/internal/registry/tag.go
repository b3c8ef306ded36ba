package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/thimble-build/thimble/build/internal/distribution"
)

// MovedError is a failure after some tags were moved, or may have been.
type MovedError struct {
	// Tags were moved.
	Tags []string
	// Unsure is the tag whose request failed, if it is unknown whether the registry moved it.
	Unsure string
	Err    error
}

func (e *MovedError) Error() string {
	var all []string
	if len(e.Tags) > 0 {
		all = append(all, "moved already: "+strings.Join(e.Tags, ", "))
	}
	if e.Unsure != "" {
		all = append(all, "may have been moved: "+e.Unsure)
	}
	return fmt.Sprintf("%v (%s)", e.Err, strings.Join(all, "; "))
}

func (e *MovedError) Unwrap() error { return e.Err }

// Tag points the tags at a digest that is in the registry: first those that never move, in the
// given order, then the moving ones. It first looks up all tags, and stops if one must not
// move. It reads each tag back. If some tags were or may have been moved, the error is a
// [*MovedError].
func (r *Repository) Tag(ctx context.Context, digest v1.Hash, tags []Tag) error {
	if err := checkNames(r.client.Label, tags); err != nil {
		return err
	}
	target, err := r.client.Get(ctx, digest.String())
	if err == nil && target == nil {
		err = distribution.Problemf("the registry does not have it; push it first")
	}
	if err != nil {
		return r.client.Explain(ctx, "tag", digest.String(), err)
	}
	var fixed, moving []Tag
	for _, tag := range tags {
		there, err := r.client.Get(ctx, tag.Name)
		if err != nil {
			return r.client.Explain(ctx, "look up", tag.Name, err)
		}
		switch {
		case there == nil:
		case there.Digest == digest:
			continue
		default:
			if err := checkFree(ctx, r.client, tag, there.Digest, digest); err != nil {
				return err
			}
		}
		if tag.Moving {
			moving = append(moving, tag)
		} else {
			fixed = append(fixed, tag)
		}
	}
	var moved []string
	for _, tag := range append(fixed, moving...) {
		unsure, err := move(ctx, r.client, tag.Name, target)
		if err != nil {
			err = r.client.Explain(ctx, "tag", tag.Name, err)
			if moved := (&MovedError{Tags: moved, Err: err}); unsure {
				moved.Unsure = tag.Name
				return moved
			} else if len(moved.Tags) > 0 {
				return moved
			}
			return err
		}
		moved = append(moved, tag.Name)
	}
	return nil
}

// move points a tag at a manifest and checks the result, whatever the registry answered: a
// request may have succeeded although its answer was lost. After an error, unsure says that the
// tag may have been moved.
func move(ctx context.Context, c *distribution.Client, tag string,
	target *distribution.Manifest) (unsure bool, err error) {
	err = c.Put(ctx, tag, target.Raw, target.MediaType)
	there, looked := c.Get(ctx, tag)
	switch answer := new(transport.Error); {
	case looked != nil:
		return true, cmp.Or(err, looked)
	case there != nil && there.Digest == target.Digest:
		return false, nil
	case err == nil: // the answer may be wrong
		return there != nil, distribution.ErrLost
	default: // a request without an answer may be executed later
		return !errors.As(err, &answer), err
	}
}

// Tag is a tag to set on a digest.
type Tag struct {
	Name string
	// Moving says that the tag, such as latest, may now point to something else.
	Moving bool
}

// tagName is compiled on first use, which takes a millisecond. It is the grammar of the OCI
// distribution-spec.
var tagName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(
		`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
})

// checkNames refuses invalid tags. label is the repository as the user wrote it.
func checkNames(label string, tags []Tag) error {
	for _, tag := range tags {
		if !tagName().MatchString(tag.Name) {
			return distribution.Problemf(
				"tag %s: %q is not a tag; use letters, digits, \"_\", \".\" and \"-\", 128 at most", label,
				tag.Name)
		}
	}
	return nil
}

// checkFree refuses to move a tag that is not a moving one.
func checkFree(ctx context.Context, c *distribution.Client, tag Tag, is, want v1.Hash) error {
	if tag.Moving || is == want {
		return nil
	}
	return c.Explain(ctx, "tag", tag.Name, distribution.Problemf(
		"it points to %s already, but this is %s; release another version, or list the tag as a moving one",
		is, want))
}
