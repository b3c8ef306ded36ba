package describe

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/thimble-build/thimble/build/internal/sbom"
	"github.com/thimble-build/thimble/build/plan"
)

// ProvenanceInput is the content of a provenance.
type ProvenanceInput struct {
	// Config has the user's settings, including those from the environment and flags. Only the
	// fields listed on the build type's page are written.
	Config    plan.Config
	Overrides Overrides
	Plan      *plan.Plan
	// Images are the inputs of the SBOMs: one for a platform's manifest, all platforms for an
	// index. Binary and Assets are ignored.
	Images []sbom.Input
	// Toolchain is the module of the Go toolchain, such as golang.org/toolchain at
	// v0.0.1-go1.26.8.linux-amd64 with its h1 sum; the zero value if unknown.
	Toolchain sbom.Module

	Builder Builder
	// Started and Finished are the run's times; left out if zero.
	Started, Finished time.Time
}

// Provenance returns a SLSA v1 provenance predicate as canonical JSON. Its build type is
// BuildType. The same input, modules and components in any order, gives the same bytes. No URL in
// it has credentials, a query or a fragment.
func Provenance(in ProvenanceInput) ([]byte, error) {
	p, err := newProvenance(in)
	if err != nil {
		return nil, fmt.Errorf("write provenance: %w", err)
	}
	b, err := predicateJSON(p)
	if err != nil {
		return nil, fmt.Errorf("write provenance: %w", err)
	}
	return b, nil
}

func newProvenance(in ProvenanceInput) (*slsaProvenance, error) {
	if in.Plan == nil || len(in.Images) == 0 {
		return nil, errors.New("it needs a plan and an image")
	}
	resolved := *in.Plan
	resolved.Source = gitSource(resolved.Source, "").repository
	external := newExternalParameters(in.Config, resolved.Source, in.Overrides)
	internal := internalParameters{Plan: &resolved, Image: in.Images[0].Image.Name}
	for _, i := range in.Images {
		if i.Image.Name != internal.Image {
			return nil, fmt.Errorf("images %s and %s are different images", internal.Image, i.Image.Name)
		}
		internal.Platforms = append(internal.Platforms, i.Platform.String())
	}
	slices.Sort(internal.Platforms)
	internal.Platforms = slices.Compact(internal.Platforms)

	if !in.Started.IsZero() && in.Finished.Before(in.Started) && !in.Finished.IsZero() {
		return nil, fmt.Errorf("the run ends at %s, before its start at %s", in.Finished, in.Started)
	}
	if in.Builder.ID == "" {
		return nil, errors.New("runDetails.builder.id required")
	}
	toolchain := in.Toolchain
	if toolchain.Path == "" { // its name in go.mod
		toolchain = sbom.Module{Path: "toolchain", Version: in.Plan.Toolchain.Version}
	}
	resources, err := dependencies(in.Images, toolchain)
	if err != nil {
		return nil, err
	}
	source, err := sourceDescriptor(&resolved)
	if err != nil {
		return nil, err
	}
	if source != nil {
		resources = slices.Insert(resources, 0, *source)
	}
	return &slsaProvenance{
		BuildDefinition: buildDefinition{
			BuildType: BuildType, ExternalParameters: external, InternalParameters: internal,
			ResolvedDependencies: resources,
		},
		RunDetails: runDetails{
			Builder: slsaBuilder{
				ID: in.Builder.ID, Version: map[string]string{resolved.Kit.Path: resolved.Kit.Version},
			},
			Metadata: buildMetadata{
				InvocationID: in.Builder.InvocationID, StartedOn: second(in.Started),
				FinishedOn: second(in.Finished),
			},
		},
	}, nil
}

// second returns a time as provenance writes it, in whole seconds; nil for the zero value.
func second(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}
