package attest

import (
	"encoding/json"

	"github.com/thimble-build/thimble/build/plan"
)

// generatedFiles says what a provenance says of files that no commit has; "" if it says
// nothing of them.
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
		return "" // another build type's
	}
	return (&plan.Plan{Generated: p.BuildDefinition.InternalParameters.Plan.Generated}).GeneratedText()
}
