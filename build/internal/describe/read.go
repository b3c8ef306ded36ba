package describe

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// ErrBuildType is the error of ReadProvenance for a provenance of another tool, or of another
// version of this one, whose fields have another meaning.
var ErrBuildType = errors.New("unknown build type")

// Build is the build that a provenance describes, with everything that is needed to build again.
type Build struct {
	// Plan is the plan that was built, Image the image that the provenance describes, Platforms
	// that image's platforms.
	Plan      *plan.Plan
	Image     string
	Platforms []string
	// Repository is the source's location, Commit its full hash; both may be empty.
	Repository, Commit string
	// Before are the names of the programs that ran before the build; Version replaced the one
	// from git.
	Before  []string
	Version string
	// Builder identifies the builder of the run.
	Builder string
}

// ReadProvenance reads a predicate of Provenance. It returns ErrBuildType if the build type is
// not BuildType.
func ReadProvenance(predicate []byte) (*Build, error) {
	r, err := readProvenance(predicate)
	if err != nil {
		return nil, fmt.Errorf("read the provenance: %w", err)
	}
	return r, nil
}

func readProvenance(predicate []byte) (*Build, error) {
	var p struct {
		BuildDefinition struct {
			BuildType          string `json:"buildType"`
			ExternalParameters struct {
				Version string   `json:"version"`
				Before  []string `json:"before"`
			} `json:"externalParameters"`
			InternalParameters internalParameters `json:"internalParameters"`
			Dependencies       []struct {
				Name   string            `json:"name"`
				URI    string            `json:"uri"`
				Digest map[string]string `json:"digest"`
			} `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
		} `json:"runDetails"`
	}
	var head struct {
		BuildDefinition struct {
			BuildType string `json:"buildType"`
		} `json:"buildDefinition"`
	}
	if err := json.Unmarshal(predicate, &head); err != nil {
		return nil, err
	}
	// Another type's parameters may have any form.
	if got := head.BuildDefinition.BuildType; got != BuildType {
		return nil, fmt.Errorf("%w %q; this thimble knows %s", ErrBuildType, got, BuildType)
	}
	if err := json.Unmarshal(predicate, &p); err != nil {
		return nil, err
	}
	d := p.BuildDefinition
	internal, external := d.InternalParameters, d.ExternalParameters
	r := &Build{
		Plan: internal.Plan, Image: internal.Image, Platforms: internal.Platforms,
		Before: external.Before, Version: external.Version, Builder: p.RunDetails.Builder.ID,
	}
	if r.Plan == nil {
		return nil, errors.New("it has no plan")
	}
	known := false
	for _, i := range r.Plan.Images {
		known = known || i.Name == r.Image
	}
	if !known {
		return nil, fmt.Errorf("its plan has no image %q", r.Image)
	}
	if len(r.Platforms) == 0 {
		return nil, errors.New("it has no platform")
	}
	for _, name := range r.Platforms {
		if _, err := plan.ParsePlatform(name); err != nil {
			return nil, err
		}
	}
	for _, dep := range d.Dependencies {
		if dep.Name != "source" {
			continue
		}
		r.Commit = dep.Digest["gitCommit"]
		uri := strings.TrimPrefix(dep.URI, "git+")
		if at := strings.LastIndex(uri, "@"+r.Commit); r.Commit != "" && at >= 0 {
			uri = uri[:at]
		}
		r.Repository = uri
		break
	}
	if r.Commit != "" && !commit.MatchString(r.Commit) {
		return nil, fmt.Errorf("its commit %q is not a full hash", r.Commit)
	}
	if r.Commit != r.Plan.Revision {
		return nil, fmt.Errorf("its source is commit %q, but its plan's is %q", r.Commit, r.Plan.Revision)
	}
	return r, nil
}
