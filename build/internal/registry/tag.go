package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// MovedError is a failure when some of the tags have been moved, or may have been.
type MovedError struct {
	// Tags were moved.
	Tags []string
	// Unsure is the tag whose request failed, if nobody can say what the registry made of
	// it.
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

// Tag points the tags at a digest that is in the registry: first those that never
// move, in the given order, then the moving ones. Before the first one is written,
// all are looked up, and one that may not move stops them all. Each is read back.
// If some of them have been moved, or may have been, the error is a [*MovedError].
func (r *Repository) Tag(ctx context.Context, digest v1.Hash, tags []Tag) error {
	if err := r.checkNames(tags); err != nil {
		return err
	}
	target, err := r.get(ctx, digest.String())
	if err == nil && target == nil {
		err = problemf("the registry does not have it; push it first")
	}
	if err != nil {
		return r.explain(ctx, "tag", digest.String(), err)
	}
	var fixed, moving []Tag
	for _, tag := range tags {
		there, err := r.get(ctx, tag.Name)
		if err != nil {
			return r.explain(ctx, "look up", tag.Name, err)
		}
		switch {
		case there == nil:
		case there.digest == digest:
			continue
		default:
			if err := r.checkFree(ctx, tag, there.digest, digest); err != nil {
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
		unsure, err := r.move(ctx, tag.Name, target)
		if err != nil {
			err = r.explain(ctx, "tag", tag.Name, err)
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

// move points a tag at a manifest, and looks whether it does, whatever the registry
// answered: a request may have done its work although its answer was lost, or none came.
// After an error, unsure says that the tag may have been moved.
func (r *Repository) move(ctx context.Context, tag string, target *manifest) (unsure bool, err error) {
	err = r.put(ctx, tag, target.raw, target.mediaType)
	there, looked := r.get(ctx, tag)
	switch answer := new(transport.Error); {
	case looked != nil:
		return true, cmp.Or(err, looked)
	case there != nil && there.digest == target.digest:
		return false, nil
	case err == nil: // what is there may not be what it gives
		return there != nil, errLost
	default: // what was not answered may be done later
		return !errors.As(err, &answer), err
	}
}
