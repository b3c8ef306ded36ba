package attest

import (
	"encoding/json"

	"github.com/thimble-build/thimble/build/plan"
)

// generatedFiles returns what a provenance says about uncommitted generated files; "" if it
// says nothing.
func generatedFiles(predicate json.RawMessage) string {
	var p struct {
		BuildDefinition struct {
			InternalParameters struct {
				Plan struct {
					Generated []plan.GeneratedFile `json:"generated"`
				} `json:"plan"`
			} `json:"internalParameters"`
		} `json:"buildDefinition"`
	}
	if json.Unmarshal(predicate, &p) != nil {
		return "" // of another build type
	}
	return (&plan.Plan{Generated: p.BuildDefinition.InternalParameters.Plan.Generated}).GeneratedText()
}
