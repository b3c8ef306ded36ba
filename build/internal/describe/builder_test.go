package describe

import (
	"slices"
	"testing"
)

func TestBuilder(t *testing.T) {
	github := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/api",
		"GITHUB_WORKFLOW_REF": "acme/api/.github/workflows/release.yml@refs/tags/v1.2.3",
		"GITHUB_RUN_ID":       "42", "GITHUB_RUN_ATTEMPT": "2",
	}
	gitlab := map[string]string{
		"GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.example.com/acme/group/api", "CI_RUNNER_ID": "7",
		"CI_JOB_URL": "https://gitlab.example.com/acme/group/api/-/jobs/99",
	}
	with := func(env map[string]string, more ...string) map[string]string {
		all := map[string]string{}
		for k, v := range env {
			all[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	local := Builder{ID: LocalBuilder}
	gitlabBuilder := Builder{"https://gitlab.example.com/acme/group/api/-/runners/7", "https://gitlab.example.com/acme/group/api/-/jobs/99"}
	for name, tt := range map[string]struct {
		env  map[string]string
		want Builder
	}{
		"nothing":  {nil, local},
		"other CI": {map[string]string{"CI": "true"}, local},
		"GitHub": {github, Builder{
			"https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.2.3", "https://github.com/acme/api/actions/runs/42/attempts/2",
		}},
		"a fork on GitHub is another builder": {
			with(github, "GITHUB_REPOSITORY", "mallory/api", "GITHUB_WORKFLOW_REF", "mallory/api/.github/workflows/release.yml@refs/heads/main"),
			Builder{"https://github.com/mallory/api/.github/workflows/release.yml@refs/heads/main", "https://github.com/mallory/api/actions/runs/42/attempts/2"},
		},
		"a workflow of another repository": {
			with(github, "GITHUB_WORKFLOW_REF", "acme/shared/.github/workflows/go.yml@refs/heads/v1"),
			Builder{"https://github.com/acme/shared/.github/workflows/go.yml@refs/heads/v1", "https://github.com/acme/api/actions/runs/42/attempts/2"},
		},
		"GitHub Enterprise": {
			with(github, "GITHUB_SERVER_URL", "https://ghe.example.com/", "GITHUB_RUN_ATTEMPT", ""),
			Builder{"https://ghe.example.com/acme/api/.github/workflows/release.yml@refs/tags/v1.2.3", "https://ghe.example.com/acme/api/actions/runs/42"},
		},
		"GitHub without a run": {
			with(github, "GITHUB_RUN_ID", ""),
			Builder{ID: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.2.3"},
		},
		"GitHub without a workflow":          {with(github, "GITHUB_WORKFLOW_REF", ""), local},
		"GitHub's server is none":            {with(github, "GITHUB_SERVER_URL", "github.com"), local},
		"GitHub, not quite":                  {with(github, "GITHUB_ACTIONS", "1"), local},
		"GitLab":                             {gitlab, gitlabBuilder},
		"GitLab, below a folder with a port": {with(gitlab, "CI_PROJECT_URL", "http://ci.example.com:8080/git/a/b", "CI_JOB_URL", ""), Builder{ID: "http://ci.example.com:8080/git/a/b/-/runners/7"}},
		"a fork on GitLab is another builder": {
			with(gitlab, "CI_PROJECT_URL", "https://gitlab.example.com/mallory/api", "CI_JOB_URL", "https://gitlab.example.com/mallory/api/-/jobs/1"),
			Builder{"https://gitlab.example.com/mallory/api/-/runners/7", "https://gitlab.example.com/mallory/api/-/jobs/1"},
		},
		"GitLab without a runner": {with(gitlab, "CI_RUNNER_ID", ""), local},
		"GitLab with tokens": {
			with(gitlab, "CI_PROJECT_URL", "https://u:t@gitlab.example.com/acme/group/api?t#t", "CI_JOB_URL", gitlab["CI_JOB_URL"]+"?t=1"), gitlabBuilder,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := DetectBuilder(func(name string) string {
				if !slices.Contains(allowed, name) {
					t.Errorf("it asks for %s", name)
				}
				return tt.env[name]
			})
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// allowed are the variables that DetectBuilder may look at; none of them is a secret.
var allowed = []string{
	"GITHUB_ACTIONS", "GITHUB_SERVER_URL", "GITHUB_WORKFLOW_REF", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT",
	"GITLAB_CI", "CI_PROJECT_URL", "CI_RUNNER_ID", "CI_JOB_URL",
}
