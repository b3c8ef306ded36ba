package describe

import "strings"

// kitPath is the kit's repository.
const kitPath = "github.com/thimble-build/thimble"

// docsPage documents provenance; the fragments below are headings of it.
const docsPage = "https://" + kitPath + "/blob/main/docs/provenance.md"

const (
	// BuildType is the URI of the build type. Its page documents every field (SLSA v1
	// buildDefinition.buildType).
	BuildType = docsPage + "#v1"
	// LocalBuilder is the builder's id outside a known CI.
	LocalBuilder = docsPage + "#local"
)

// Builder identifies the builder of a run (SLSA v1 runDetails.builder).
type Builder struct {
	// ID is a URI: in CI that of the workflow or the runner, otherwise LocalBuilder.
	ID string
	// InvocationID is the URL of the run in CI, otherwise empty; the caller may then set a random
	// one.
	InvocationID string
}

// DetectBuilder detects GitHub Actions or GitLab CI, otherwise it returns the local builder. It reads
// only these variables, none of which is a secret: GITHUB_ACTIONS, GITHUB_SERVER_URL,
// GITHUB_WORKFLOW_REF, GITHUB_REPOSITORY, GITHUB_RUN_ID, GITHUB_RUN_ATTEMPT, GITLAB_CI,
// CI_PROJECT_URL, CI_RUNNER_ID and CI_JOB_URL. If one that the id needs is missing, or gives no
// web URL, the builder is the local one. Anybody can set these variables; only the signature
// proves who built.
func DetectBuilder(getenv func(string) string) Builder {
	local := Builder{ID: LocalBuilder}
	switch {
	case getenv("GITHUB_ACTIONS") == "true":
		// octo/api/.github/workflows/release.yml@refs/tags/v1.2.3
		id := join(getenv("GITHUB_SERVER_URL"), getenv("GITHUB_WORKFLOW_REF"))
		if id == "" {
			return local
		}
		server, repository := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY")
		run := join(server, repository, "actions/runs", getenv("GITHUB_RUN_ID"))
		if attempt := getenv("GITHUB_RUN_ATTEMPT"); attempt != "" {
			run = join(run, "attempts", attempt)
		}
		return Builder{ID: id, InvocationID: run}
	case getenv("GITLAB_CI") == "true":
		// as in the provenance that GitLab's runner writes
		id := join(getenv("CI_PROJECT_URL"), "-/runners", getenv("CI_RUNNER_ID"))
		if id == "" {
			return local
		}
		return Builder{ID: id, InvocationID: join(getenv("CI_JOB_URL"))}
	}
	return local
}

// join returns a web URL of a base and further parts; empty if a part is empty, or if the base is
// not a web URL.
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
