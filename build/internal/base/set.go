package base

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/thimble-build/thimble/build/internal/lock"
	"github.com/thimble-build/thimble/build/plan"
)

// Set makes bases, each of them only once. It is safe for concurrent use.
type Set struct {
	sources Sources
	pinned  *plan.Lock

	mu   sync.Mutex
	made map[string]func() (Base, error)
	// unpacked are temporary folders with the files of packages.
	unpacked []string
	// packing is held while a layer is made, which uses all cores.
	packing sync.Mutex
}

// NewSet returns an empty Set. The lock pins the content of the bases.
func NewSet(s Sources, pinned *plan.Lock) *Set {
	return &Set{sources: s, pinned: pinned, made: map[string]func() (Base, error){}}
}

// Base returns a base. Cached parts are not fetched and not made again.
func (s *Set) Base(ctx context.Context, use lock.Use) (Base, error) {
	if use.Base == plan.BaseScratch {
		return Base{}, nil
	}
	key := use.String() + " " + use.Platform.String()
	s.mu.Lock()
	made := s.made[key]
	if made == nil {
		made = sync.OnceValues(func() (Base, error) { return s.make(ctx, use) })
		s.made[key] = made
	}
	s.mu.Unlock()
	return made()
}

func (s *Set) make(ctx context.Context, use lock.Use) (b Base, err error) {
	err = s.sources.Stage(fmt.Sprintf("base %s %s", use.Base, use.Platform),
		func() (outcome string, err error) {
			if lock.IsDebian(use.Base) {
				b, outcome, err = s.debian(ctx, use)
			} else {
				b, outcome, err = s.image(ctx, use)
			}
			return outcome, err
		})
	return b, err
}

// temporary makes a folder that Close removes.
func (s *Set) temporary() (string, error) {
	dir, err := os.MkdirTemp("", "thimble-base-")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unpacked = append(s.unpacked, dir)
	return dir, nil
}

// Close removes the temporary folders. No base of the set may be used after it.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all error
	for _, dir := range s.unpacked {
		if err := os.RemoveAll(dir); err != nil {
			all = errors.Join(all, fmt.Errorf("%s was not removed: %w", dir, err))
		}
	}
	s.unpacked = nil
	return all
}

// once returns make with its first result kept.
func once[T any](make func(context.Context) (T, error)) func(context.Context) (T, error) {
	var first sync.Once
	var v T
	var err error
	return func(ctx context.Context) (T, error) {
		first.Do(func() { v, err = make(ctx) })
		return v, err
	}
}
