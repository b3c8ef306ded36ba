package main

import (
	"bytes"
	"embed"
	"text/template"
)

//go:embed templates/github.yml.tmpl templates/gitlab.yml.tmpl templates/Taskfile.yml.tmpl
var templates embed.FS

// render fills a template of YAML. It does not change braces that are part of the YAML.
func render(name string, data any) ([]byte, error) {
	t, err := template.New(name).Delims("[[", "]]").ParseFS(templates, "templates/"+name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, data)
	return out.Bytes(), err
}
