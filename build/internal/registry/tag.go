package registry

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// MovedError is a failure after some of the tags have been moved.
type MovedError struct {
	Tags []string
	Err  error
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("%v (moved already: %s)", e.Err, strings.Join(e.Tags, ", "))
}

func (e *MovedError) Unwrap() error { return e.Err }

// Tag points the tags at a digest that is in the registry: first those that never
// move, in the given order, then the moving ones. Before the first one is written,
// all are looked up, and one that may not move stops them all. Each is read back.
// If some of them have been moved, the error is a [*MovedError].
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
		if err := r.move(ctx, tag.Name, target); err != nil {
			err = r.explain(ctx, "tag", tag.Name, err)
			if len(moved) > 0 {
				err = &MovedError{Tags: moved, Err: err}
			}
			return err
		}
		moved = append(moved, tag.Name)
	}
	return nil
}

func (r *Repository) move(ctx context.Context, tag string, target *manifest) error {
	if err := r.put(ctx, tag, target.raw, target.mediaType); err != nil {
		return err
	}
	there, err := r.get(ctx, tag)
	if err != nil {
		return err
	}
	if there == nil || there.digest != target.digest {
		return problemf("the registry took it, and does not have it afterwards")
	}
	return nil
}
