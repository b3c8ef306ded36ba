package materials

import (
	"context"
	"maps"
	"slices"

	"github.com/thimble-build/thimble/build/internal/golist"
	"github.com/thimble-build/thimble/build/plan"
)

// Included is the state of the files that C and Go's assembler include and that the go
// command's cache does not cover, for each platform.
type Included struct {
	C        string
	Assembly map[plan.Platform]map[string]string
}

// Equal reports whether two states are the same.
func (i Included) Equal(other Included) bool {
	return i.C == other.C && maps.EqualFunc(i.Assembly, other.Assembly, maps.Equal)
}

// Included returns that state, by the lists. Without the list of a platform, C may include
// everything in the module.
func (s Source) Included(ctx context.Context, lists Lists) (Included, error) {
	state := Included{Assembly: map[plan.Platform]map[string]string{}}
	var all []golist.Compiled
	for _, platform := range s.Platforms() {
		l := lists[platform]
		if l == nil {
			all = append(all, golist.Compiled{Trees: []string{s.Draft.Dir}})
			continue
		}
		all = append(all, l.Compiled)
		states, err := l.Compiled.AssemblyStates(ctx, s.Draft.Dir)
		if err != nil {
			return state, err
		}
		if len(states) > 0 {
			state.Assembly[platform] = states
		}
	}
	if !slices.ContainsFunc(s.Draft.Plan.Images, func(i plan.Image) bool { return i.Cgo }) {
		return state, nil
	}
	var err error
	state.C, err = golist.CState(ctx, s.Draft.Tree(), all)
	return state, err
}
