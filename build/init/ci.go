package main

import (
	"bytes"
	"embed"
	"fmt"
	goversion "go/version"
	"net/url"
	"path"
	"regexp"
	"strings"
	"text/template"

	"github.com/thimble-build/thimble/build/internal/plaintext"
)

//go:embed templates/github.yml.tmpl templates/gitlab.yml.tmpl templates/Taskfile.yml.tmpl
var templates embed.FS

// getRoot fetches the public Sigstore's trusted root, through its own TUF repository.
const getRoot = "go run github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 trusted-root create --with-default-services --out "

// planCI adds the workflow for a CI system, in the folder where that looks for it.
func (p *planned) planCI(system string) error {
	up := "" // from the root to the git working tree
	if p.repo.prefix != "" {
		up = strings.Repeat("../", strings.Count(p.repo.prefix, "/")+1)
	}
	name, title := ".gitlab-ci.yml", "images"
	if system == "github" {
		name = ".github/workflows/thimble.yml"
		if p.repo.prefix != "" {
			name = ".github/workflows/thimble-" + strings.ReplaceAll(p.repo.prefix, "/", "-") + ".yml"
			title = fmt.Sprintf("%q", "images of "+p.repo.prefix) // runs of two workflows of one name would cancel each other
		}
	}
	gomod := path.Join(p.repo.prefix, "magefiles", "go.mod")
	version := p.kit.goVersion
	if goversion.Compare("go"+p.repo.goVersion, "go"+version) > 0 {
		gomod, version = path.Join(p.repo.prefix, p.repo.dir, "go.mod"), p.repo.goVersion
	}
	minor := strings.TrimPrefix(goversion.Lang("go"+version), "go")
	tags := path.Join(p.repo.prefix, p.repo.dir, "v")
	if strings.ContainsAny(tags, " ~^:?*[\\") {
		return fmt.Errorf("write %s: a release of %s is tagged %s1.2.3, and git takes no such tag; rename the folder, or leave -ci out", name, p.repo.module, tags)
	}
	manifest := path.Join(p.repo.prefix, "dist", "manifest.json")
	text, err := render(system+".yml.tmpl", map[string]string{
		"Name": title, "Launcher": typed("./" + path.Join(p.repo.prefix, "magefiles", "mage.go")), "Target": p.target(""),
		"Branch": p.repo.branch, "TagPrefix": tags, "TagPattern": strings.ReplaceAll(regexp.QuoteMeta(tags), "/", `\/`), "GoMod": gomod, "Go": minor,
		"Summary": path.Join(p.repo.prefix, "dist", "summary.md"), "Manifest": manifest, "ManifestTyped": typed(manifest),
		"GoSum": path.Join(p.repo.prefix, "magefiles", "go.sum"),
	})
	if err != nil {
		return err
	}
	if err := p.want("magefiles/trusted_root.json", nil); err != nil {
		return err
	}
	root := p.files[len(p.files)-1]
	p.files = p.files[:len(p.files)-1]
	if root.was == nil {
		p.notes = append(p.notes, "releases in CI are signed with the job's identity; get what tells its certificates from forged ones, and commit it:\n\n    "+
			getRoot+p.here("magefiles/trusted_root.json"))
	}
	p.notes = append(p.notes, p.protection(system, tags))
	return p.want(up+name, text)
}

// protection says how the environment of the release job is protected, and what the
// token of that job then says.
func (p *planned) protection(system, tags string) string {
	host := map[string]string{"github": "https://github.com/", "gitlab": "https://gitlab.com/"}[system]
	project, found := strings.CutPrefix(plaintext.Line(strings.TrimSuffix(p.repo.remote, ".git")), host)
	if !found || project == "" {
		project = "OWNER/REPOSITORY"
	}
	if system == "gitlab" {
		at := "projects/" + url.PathEscape(project)
		return "the release job runs in the environment release. Let only maintainers create version tags, and (GitLab Premium) deploy to it:\n\n" +
			"    glab api -X POST " + at + "/protected_tags -f name='" + tags + "*'\n" +
			"    glab api -X POST " + at + "/protected_environments -f name=release -f 'deploy_access_levels[][access_level]=40'\n\n" +
			"The subject of the job's token stays project_path:" + project + ":ref_type:tag:ref:TAG; its claim environment_protected becomes true."
	}
	at := "repos/" + project + "/environments/release"
	return "the release job runs in the environment release. Protect it: you approve each release, and only version tags get there:\n\n" +
		"    gh api -X PUT " + at + " -F 'reviewers[][type]=User' -F \"reviewers[][id]=$(gh api user -q .id)\" \\\n" +
		"      -F 'deployment_branch_policy[protected_branches]=false' -F 'deployment_branch_policy[custom_branch_policies]=true' &&\n" +
		"    gh api -X POST " + at + "/deployment-branch-policies -f name='" + tags + "*' -f type=tag\n\n" +
		"The subject of the job's token becomes repo:" + project + ":environment:release, which the trust of a cloud has to name.\n" +
		"The certificate that signs images still names the workflow and the tag."
}

// target is a target's name as it is typed.
func (p *planned) target(name string) string {
	if p.alias == "" {
		return name
	}
	return p.alias + ":" + name
}

// renderTaskfile has a task for each target.
func renderTaskfile(k *kit, alias string) ([]byte, error) {
	var tasks []map[string]string
	for _, t := range k.targets {
		call := t.name
		if alias != "" {
			call = alias + ":" + t.name
		}
		tasks = append(tasks, map[string]string{"Name": t.name, "Call": call, "Desc": fmt.Sprintf("%q", strings.ToUpper(t.synopsis[:1])+t.synopsis[1:])})
	}
	return render("Taskfile.yml.tmpl", tasks)
}

// render fills a template of YAML, whose own braces are left alone.
func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).Delims("[[", "]]").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, data)
	return out.Bytes(), err
}

var plainWord = regexp.MustCompile(`^[\w./\\:@+-]+$`)

// typed is a path as a shell wants it, in quotes where it has a space or the like.
func typed(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
