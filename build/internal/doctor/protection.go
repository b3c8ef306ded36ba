package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/thimble-build/thimble/build/report"
)

// releaseEnvironment is the environment of the release job, as init writes it.
const releaseEnvironment = "release"

// protection checks that a user who can push a tag cannot always release with the CI system's
// identity: it asks GitHub for the release job's environment, or GitLab for the job's tag.
func (d *examination) protection(ctx context.Context) []Finding {
	if cfg := d.Config.Release; cfg.Key != "" || cfg.Keyless == nil {
		return nil
	}
	if protected, gitlab := d.LookupEnv("CI_COMMIT_REF_PROTECTED"); gitlab {
		if protected == "true" {
			return []Finding{ok("protection", "this job's branch or tag is protected")}
		}
		return []Finding{{Check: "protection", State: report.Note,
			Detail: "this job's branch or tag is not protected: anyone who can push such a branch or tag " +
				"can release", Fix: "protect the version tags in the project's settings"}}
	}
	repository, _ := d.LookupEnv("GITHUB_REPOSITORY")
	if repository == "" && d.resolved != nil {
		repository, _ = strings.CutPrefix(strings.TrimSuffix(d.resolved.Plan.Source, ".git"),
			"https://github.com/")
		if strings.Contains(repository, "://") {
			repository = ""
		}
	}
	if strings.Count(repository, "/") != 1 {
		return nil // neither GitHub nor GitLab, as far as known
	}
	return []Finding{d.environmentOf(ctx, repository)}
}

// environmentOf asks GitHub for the environment of a repository's release job.
func (d *examination) environmentOf(ctx context.Context, repository string) Finding {
	name := "the environment " + releaseEnvironment + " of " + repository
	unknown := func(why string) Finding {
		return Finding{Check: "protection", State: report.Note,
			Detail: "it is unknown whether " + name + " is protected: " + why}
	}
	api, _ := d.LookupEnv("GITHUB_API_URL")
	address := cmp.Or(api, "https://api.github.com") + "/repos/" + repository +
		"/environments/" + releaseEnvironment
	if err := d.Reach("ask GitHub", address); err != nil {
		return unknown("GitHub was not contacted, because of -offline")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return unknown("GITHUB_API_URL is not a URL")
	}
	github, _ := d.LookupEnv("GITHUB_TOKEN")
	cli, _ := d.LookupEnv("GH_TOKEN")
	if token := cmp.Or(github, cli); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	res, err := d.Client().Do(req)
	if err != nil {
		return unknown(err.Error())
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return protect(unknown(
			"it does not exist on GitHub, or reading it requires a token (GITHUB_TOKEN, with actions: read)"),
			repository)
	default:
		return unknown("GitHub answered " + res.Status + "; set GITHUB_TOKEN to a token with actions: read")
	}
	var environment struct {
		Rules []struct {
			Type string `json:"type"`
		} `json:"protection_rules"`
		Policy *struct{} `json:"deployment_branch_policy"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&environment); err != nil {
		return unknown("GitHub's answer is not JSON: " + err.Error())
	}
	var by []string
	for _, rule := range environment.Rules {
		if rule.Type == "required_reviewers" {
			by = append(by, "somebody approves each job")
		}
	}
	if environment.Policy != nil {
		by = append(by, "only some branches and tags are allowed")
	}
	if len(by) == 0 {
		return protect(Finding{Check: "protection", State: report.Note,
			Detail: name + " is not protected: anyone who can push a tag can release"}, repository)
	}
	return ok("protection", fmt.Sprintf("%s is protected: %s", name, strings.Join(by, ", ")))
}

// protect adds the command that protects the environment.
func protect(f Finding, repository string) Finding {
	f.Fix = "gh api -X PUT repos/" + repository + "/environments/" + releaseEnvironment +
		` -F 'reviewers[][type]=User' -F "reviewers[][id]=$(gh api user -q .id)"`
	return f
}
