package registry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/thimble-build/thimble/build/internal/distribution"
	"github.com/thimble-build/thimble/build/internal/registry"
	"github.com/thimble-build/thimble/build/internal/registrytest"
	"github.com/thimble-build/thimble/build/internal/testtool"
)

// Every request of a release fails in turn, in every way (registrytest.Sample). Whatever comes of it: no tag
// points to what is not complete, the error says which tags have moved, and the next run
// completes the release. Package build does the same with whole releases.
func TestEveryRequestFails(t *testing.T) {
	testtool.NotShort(t)
	for i, kind := range kinds[:3] {
		t.Run(kind.name, func(t *testing.T) {
			if i != 1 {
				testtool.OnRequest(t, "it releases many times")
			}
			host := kind.start(t)
			p, through := registrytest.Before(t, host)
			ok(t, release(t.Context(), through+"/every/clean", quick, made("every")))
			requests := len(p.Requests())
			for j, fault := range registrytest.Faults {
				t.Run(fault.Name, func(t *testing.T) {
					ks := registrytest.Sample(requests, 4, uint64(i*len(registrytest.Faults)+j))
					var mu sync.Mutex
					happened := 0
					group := errgroup.Group{}
					group.SetLimit(8)
					for _, k := range ks {
						group.Go(func() error {
							host := host
							if i < 2 { // these have one store of blobs for all repositories
								host = kind.start(t)
							}
							did, err := failAt(t, host, fmt.Sprintf("every/%s/k%d", strings.ReplaceAll(strings.ToLower(fault.Name), " ", "-"), k), k, fault)
							mu.Lock()
							defer mu.Unlock()
							if did {
								happened++
							}
							if err != nil {
								t.Errorf("request %d: %v", k, err)
							}
							return nil
						})
					}
					_ = group.Wait()
					if happened < len(ks)*3/4 {
						t.Errorf("it happened %d times", happened)
					}
				})
			}
		})
	}
}

// failAt releases into a repository while a request fails, and again. It says whether
// the fault happened, and what is wrong.
func failAt(t *testing.T, host, path string, k int, fault registrytest.Fault) (happened bool, err error) {
	p, through := registrytest.Before(t, host)
	c := made("every")
	did := p.FailAt(k, fault)
	o := quick
	if strings.HasPrefix(fault.Name, "stalled") { // on a busy machine, all else must not
		o.Pace = distribution.Pace{Idle: time.Second, Answer: time.Second}
	}
	failure := release(context.Background(), through+"/"+path, o, c)
	p.Rest()
	if err := truthful(host, path, c, failure); err != nil {
		return did(), err
	}
	if err := release(context.Background(), through+"/"+path, quick, c); err != nil {
		return did(), fmt.Errorf("the next run: %w", err)
	}
	if err := truthful(host, path, c, nil); err != nil {
		return did(), fmt.Errorf("after the next run: %w", err)
	}
	return did(), complete(open(t, host+"/"+path, quick), c)
}

// truthful compares what a release said with what is there.
func truthful(host, path string, c content, said error) error {
	content, err := registrytest.Inspect(host, path)
	if err != nil {
		return fmt.Errorf("after %v: %w", said, err)
	}
	moved := new(registry.MovedError)
	errors.As(said, &moved)
	for _, tag := range tags {
		at, there := content.Tags[tag.Name]
		if there && at != c.digest().String() {
			err = errors.Join(err, fmt.Errorf("%s points to %s", tag.Name, at))
		}
		if says := said == nil || slices.Contains(moved.Tags, tag.Name); says != there && tag.Name != moved.Unsure {
			err = errors.Join(err, fmt.Errorf("%s is there: %t, and the release said %v", tag.Name, there, said))
		}
	}
	return err
}
