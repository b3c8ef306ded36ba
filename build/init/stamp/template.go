package stamp

import (
	"regexp"
	"strings"
)

var action = regexp.MustCompile(`\{\{-?\s*([^{}]*?)\s*-?\}\}`)

// The names in templates, and what they are in Config.LDFlags.
var goreleaser = map[string]string{
	".Version": "{{.Version}}", ".RawVersion": "{{.Version}}", ".Base": "{{.Version}}",
	".Tag": "{{.Tag}}", ".Summary": "{{.Tag}}",
	".Commit": "{{.Commit}}", ".FullCommit": "{{.Commit}}", ".ShortCommit": "{{.ShortCommit}}",
	".Date": "{{.Date}}", ".Timestamp": "{{.Timestamp}}",
	".CommitDate": "{{.CommitDate}}", ".CommitTimestamp": "{{.CommitTimestamp}}",
	".IsGitDirty": "{{.IsGitDirty}}", ".GitTreeState": "",
	".Now.Format": "{{.Date}}",
}

var ko = map[string]string{
	".Git.Tag": "{{.Tag}}", ".Git.FullCommit": "{{.Commit}}", ".Git.ShortCommit": "{{.ShortCommit}}",
	".Git.CommitDate": "{{.CommitDate}}", ".Git.CommitTimestamp": "{{.CommitTimestamp}}",
	".Git.IsDirty": "{{.IsGitDirty}}",
	".Date":        "{{.Date}}", ".Timestamp": "{{.Timestamp}}",
}

var promu = map[string]string{
	".Version": "{{.Version}}", ".Revision": "{{.Commit}}",
}

// GoReleaser translates a template of .goreleaser.yaml. project is its project_name, env its own
// environment variables. Parts that have no translation are Unknown.
func GoReleaser(text, project string, env map[string]string) string {
	return translate(text, func(name string) (string, bool) {
		switch fields := strings.Fields(name); {
		case name == ".ProjectName":
			return project, project != ""
		case len(fields) == 3 && fields[0] == "trimprefix" && strings.Trim(fields[2], `"`) == "v":
			t, ok := goreleaser[fields[1]]
			return WithoutV(t), ok && t != ""
		}
		if variable, ok := environment(name); ok {
			if value, ok := env[variable]; ok {
				if strings.Contains(value, "{{") && !strings.Contains(value, ".Env.") {
					value = GoReleaser(value, project, nil)
				}
				return value, true
			}
			return Name(variable)
		}
		return from(goreleaser, name)
	})
}

// Ko translates a template of .ko.yaml.
func Ko(text string, env map[string]string) string {
	return translate(text, func(name string) (string, bool) {
		if variable, ok := environment(name); ok {
			if value, ok := env[variable]; ok {
				return value, true
			}
			return Name(variable)
		}
		return from(ko, name)
	})
}

// Promu translates a template of .promu.yml.
func Promu(text string) string {
	return translate(text, func(name string) (string, bool) {
		if name == "date" || strings.HasPrefix(name, "date ") {
			return "{{.Date}}", true
		}
		return from(promu, name)
	})
}

// environment returns the variable in ".Env.X" and in `index .Env "X"`.
func environment(name string) (variable string, ok bool) {
	if v, ok := strings.CutPrefix(name, ".Env."); ok && !strings.ContainsAny(v, " |") {
		return v, true
	}
	if v, ok := strings.CutPrefix(name, "index .Env "); ok {
		return strings.Trim(v, `"`), true
	}
	return "", false
}

func from(table map[string]string, name string) (string, bool) {
	name = strings.TrimPrefix(name, "$")
	if strings.HasPrefix(name, ".Now.Format") || strings.HasPrefix(name, "time ") {
		name = ".Date"
	}
	t, ok := table[name]
	return t, ok && t != ""
}

func translate(text string, to func(name string) (string, bool)) string {
	return action.ReplaceAllStringFunc(text, func(written string) string {
		name := action.FindStringSubmatch(written)[1]
		if t, ok := to(name); ok {
			return t
		}
		return Unknown(written)
	})
}
