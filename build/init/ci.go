package main

import (
	"fmt"
	goversion "go/version"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/thimble-build/thimble/build/init/kitmodule"
	"github.com/thimble-build/thimble/build/internal/plaintext"
)

// getRoot downloads the trusted root of the public Sigstore from its TUF repository.
const getRoot = "go run github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 trusted-root create " +
	"--with-default-services --out "

// planCI adds the workflow for a CI system, in the folder that the system reads.
func planCI(system string, r *repository, k *kitmodule.Kit, alias string) (c changes, err error) {
	up := "" // from the root to the git working tree
	if r.prefix != "" {
		up = strings.Repeat("../", strings.Count(r.prefix, "/")+1)
	}
	name, title := ".gitlab-ci.yml", "images"
	if system == "github" {
		name = ".github/workflows/thimble.yml"
		if r.prefix != "" {
			name = ".github/workflows/thimble-" + strings.ReplaceAll(r.prefix, "/", "-") + ".yml"
			title = fmt.Sprintf("%q", "images of "+
				r.prefix) // two workflows with the same name would cancel each other's runs
		}
	}
	gomod := path.Join(r.prefix, "magefiles", "go.mod")
	version := k.GoVersion
	if goversion.Compare("go"+r.goVersion, "go"+version) > 0 {
		gomod, version = path.Join(r.prefix, r.dir, "go.mod"), r.goVersion
	}
	minor := strings.TrimPrefix(goversion.Lang("go"+version), "go")
	tags := path.Join(r.prefix, r.dir, "v")
	if strings.ContainsAny(tags, " ~^:?*[\\") {
		return c, fmt.Errorf(
			"write %s: a release of %s would have the tag %s1.2.3, which git does not allow; rename the "+
				"folder, or omit -ci", name, r.module, tags)
	}
	manifest := path.Join(r.prefix, "dist", "manifest.json")
	text, err := render(system+".yml.tmpl", map[string]string{
		"Name": title, "Launcher": typed("./" + path.Join(r.prefix, "magefiles", "mage.go")),
		"Target": targetName(alias, ""),
		"Branch": r.branch, "TagPrefix": tags, "TagPattern": strings.ReplaceAll(regexp.QuoteMeta(tags), "/",
			`\/`), "GoMod": gomod, "Go": minor,
		"Summary": path.Join(r.prefix, "dist", "summary.md"), "Manifest": manifest,
		"ManifestTyped": typed(manifest),
		"GoSum":         path.Join(r.prefix, "magefiles", "go.sum"),
	})
	if err != nil {
		return c, err
	}
	root, err := wanted(r.root, "magefiles/trusted_root.json", nil)
	if err != nil {
		return c, err
	}
	if root.was == nil {
		c.notes = append(c.notes,
			"releases in CI are signed with the job's identity; get the trusted root, which verifies its "+
				"certificates, and commit it:\n\n    "+
				getRoot+r.here("magefiles/trusted_root.json"))
	}
	c.notes = append(c.notes, protection(system, r.remote, tags))
	workflow, err := wanted(r.root, up+name, text)
	c.files = []file{workflow}
	return c, err
}

// protection returns how the environment of the release job is protected, and what the job's
// token then contains.
func protection(system, remote, tags string) string {
	host := map[string]string{"github": "https://github.com/", "gitlab": "https://gitlab.com/"}[system]
	project, found := strings.CutPrefix(plaintext.Line(strings.TrimSuffix(remote, ".git")), host)
	if !found || project == "" {
		project = "OWNER/REPOSITORY"
	}
	if system == "gitlab" {
		at := "projects/" + url.PathEscape(project)
		return "the release job runs in the environment release. Let only maintainers create version tags, " +
			"and (GitLab Premium) deploy to it:\n\n" +
			"    glab api -X POST " + at + "/protected_tags -f name='" + tags + "*'\n" +
			"    glab api -X POST " + at + "/protected_environments -f name=release -f " +
			"'deploy_access_levels[][access_level]=40'\n\n" +
			"The subject of the job's token stays project_path:" + project +
			":ref_type:tag:ref:TAG; its claim environment_protected becomes true."
	}
	at := "repos/" + project + "/environments/release"
	return "the release job runs in the environment release. Protect it, so that you approve each release " +
		"and only version tags are allowed:\n\n" +
		"    gh api -X PUT " + at + " -F 'reviewers[][type]=User' -F \"reviewers[][id]=$(gh api user -q " +
		".id)\" \\\n" +
		"      -F 'deployment_branch_policy[protected_branches]=false' -F " +
		"'deployment_branch_policy[custom_branch_policies]=true' &&\n" +
		"    gh api -X POST " + at + "/deployment-branch-policies -f name='" + tags + "*' -f type=tag\n\n" +
		"The subject of the job's token becomes repo:" + project +
		":environment:release; use this subject in the trust policy of a cloud.\n" +
		"The certificate that signs images still names the workflow and the tag."
}

var plainWord = regexp.MustCompile(`^[\w./\\:@+-]+$`)

// typed returns a path for a shell command, in quotes if it has a space or a special character.
func typed(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
