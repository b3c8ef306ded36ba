package main

import (
	"bytes"
	"embed"
	"text/template"
)

//go:embed templates/github.yml.tmpl templates/gitlab.yml.tmpl templates/Taskfile.yml.tmpl
var templates embed.FS

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
