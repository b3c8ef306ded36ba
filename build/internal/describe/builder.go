package describe

import "strings"

// docsPage says what provenance means; the fragments below are headings of it.
const docsPage = "https://" + kitPath + "/blob/main/docs/provenance.md"

const (
	// BuildType is the URI of the build type, whose page documents every field
	// (SLSA v1 buildDefinition.buildType).
	BuildType = docsPage + "#v1"
	// LocalBuilder is the builder's id where no CI is known: anybody's machine.
	LocalBuilder = docsPage + "#local"
)

// BuilderInfo is who runs the build (SLSA v1 runDetails.builder).
type BuilderInfo struct {
	// ID is a URI: in CI that of the workflow or of the runner, else LocalBuilder.
	ID string
	// InvocationID is the URL of the run in CI; empty elsewhere, where the caller
	// may put a random one.
	InvocationID string
}

// Builder finds the CI that this runs in: GitHub Actions or GitLab CI, else the
// local machine. It looks at these variables alone, none of which is a secret:
// GITHUB_ACTIONS, GITHUB_SERVER_URL, GITHUB_WORKFLOW_REF, GITHUB_REPOSITORY,
// GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT, GITLAB_CI, CI_PROJECT_URL, CI_RUNNER_ID and
// CI_JOB_URL. Where one that the id needs is missing, or makes no web URL, the
// builder is the local one. The environment is anybody's to set: who says so is
// what the signature tells.
func Builder(getenv func(string) string) BuilderInfo {
	local := BuilderInfo{ID: LocalBuilder}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		// octo/api/.github/workflows/release.yml@refs/tags/v1.2.3
		id := join(getenv("GITHUB_SERVER_URL"), getenv("GITHUB_WORKFLOW_REF"))
		if id == "" {
			return local
		}
		run := join(getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY"), "actions/runs", getenv("GITHUB_RUN_ID"))
		if attempt := getenv("GITHUB_RUN_ATTEMPT"); attempt != "" {
			run = join(run, "attempts", attempt)
		}
		return BuilderInfo{ID: id, InvocationID: run}
	case getenv("GITLAB_CI") == "true":
		// as in the provenance that GitLab's own runner writes
		id := join(getenv("CI_PROJECT_URL"), "-/runners", getenv("CI_RUNNER_ID"))
		if id == "" {
			return local
		}
		return BuilderInfo{ID: id, InvocationID: join(getenv("CI_JOB_URL"))}
	}
	return local
}

// join makes a web URL of a base and what follows it; empty if a part is, or if
// the base is none.
func join(base string, parts ...string) string {
	page := strings.TrimSuffix(publicURL(base), "/")
	if page == "" {
		return ""
	}
	for _, p := range parts {
		if p == "" {
			return ""
		}
		page += "/" + p
	}
	return page
}
