package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/thimble-build/thimble/build/internal/git"
	"github.com/thimble-build/thimble/build/internal/gocmd"
	"github.com/thimble-build/thimble/build/plan"
)

// mayBeStable refuses settings that make an image's digest depend on more than its inputs.
func (r *Draft) mayBeStable(state git.State, none error) error {
	const of = "keep digests stable, for Config.StableDigests: "
	switch {
	case none != nil:
		return fmt.Errorf(of+"the commits that touched an image's inputs are not known: %w", none)
	case state.Revision == "":
		return errors.New(of + "the git repository has no commit yet; commit first")
	case state.Shallow:
		return errors.New(
			of + "the clone is shallow, so the last commits that touched an image's inputs may be missing; " +
				"run git fetch --unshallow")
	}
	if err := stableFlags(r.ldflags, r.Plan.Revision, r.expanded); err != nil {
		return err
	}
	if r.dated {
		r.notice("SOURCE_DATE_EPOCH is the date of every image: their digests change whenever it does")
	}
	return nil
}

// stableFlags refuses linker flags that depend on the commit: by a template, unless they are expanded,
// or by its number.
func stableFlags(flags []string, revision string, expanded bool) error {
	short := revision[:min(7, len(revision))]
	for _, flag := range flags {
		if !expanded && strings.Contains(flag, "{{") || strings.Contains(flag, short) {
			return fmt.Errorf(
				"keep digests stable, for Config.StableDigests: the linker flag %q of LDFlags depends on "+
					"the commit, "+
					"so each commit would change every binary; remove it, or StableDigests", flag)
		}
	}
	return nil
}

// inputPlatforms returns the platforms of Config and those of this run. So an image for one
// platform has the same digest, regardless of the other platforms in the run.
func inputPlatforms(g *gocmd.Go, names []string, ofRun []plan.Platform) ([]plan.Platform, error) {
	all := slices.Clone(ofRun)
	for _, name := range names {
		p, err := platform(g, name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b plan.Platform) int { return strings.Compare(a.Key(), b.Key()) })
	return slices.Compact(all), nil
}

// State returns the state of an image's inputs. dirty are the files of all images that differ
// from the commit.
func (r *Draft) State(ctx context.Context, paths git.Paths, dirty []string) (*plan.Inputs, error) {
	revision, when, err := r.repo.Newest(ctx, paths)
	if err != nil {
		return nil, err
	}
	in := &plan.Inputs{Revision: revision, Version: unknown, SourceDateEpoch: when.Unix()}
	if revision == "" {
		in.SourceDateEpoch = 0
	} else {
		_, major, _ := module.SplitPathVersion(r.Plan.Module.Path)
		in.Version = module.PseudoVersion(module.PathMajorPrefix(major), "", when, revision[:12])
	}
	if r.dated {
		in.SourceDateEpoch = r.Plan.SourceDateEpoch
	}
	if i := slices.IndexFunc(dirty, paths.Match); i >= 0 {
		in.DirtyFile = dirty[i]
		if revision != "" {
			in.Version += "+dirty"
		}
	}
	return in, nil
}
