package describe

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/plan"
)

// ErrBuildType is the error of ReadProvenance where somebody else's tool, or another
// version of this one, gave its fields their meaning.
var ErrBuildType = errors.New("unknown build type")

// Read is what ReadProvenance finds: enough to build again.
type Read struct {
	// Plan is what was built, Image the one of its images that the provenance is about,
	// Platforms that image's.
	Plan      *plan.Plan
	Image     string
	Platforms []string
	// Repository is where the source is, Commit its full hash; both may be empty.
	Repository, Commit string
	// Before are the names of the programs that ran before the build; Version replaced
	// the one in git.
	Before  []string
	Version string
	// Builder is who ran the build.
	Builder string
}

// ReadProvenance reads what Provenance writes. A build type that is not BuildType is an
// ErrBuildType.
func ReadProvenance(predicate []byte) (*Read, error) {
	r, err := readProvenance(predicate)
	if err != nil {
		return nil, fmt.Errorf("read the provenance: %w", err)
	}
	return r, nil
}

func readProvenance(predicate []byte) (*Read, error) {
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
	r := &Read{
		Plan: d.InternalParameters.Plan, Image: d.InternalParameters.Image, Platforms: d.InternalParameters.Platforms,
		Before: d.ExternalParameters.Before, Version: d.ExternalParameters.Version, Builder: p.RunDetails.Builder.ID,
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
		return nil, errors.New("it names no platform")
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
		return nil, fmt.Errorf("its source is commit %q, its plan's %q", r.Commit, r.Plan.Revision)
	}
	return r, nil
}
