package main

import (
	"fmt"
	"strings"
)

// planTaskfile returns a Taskfile with a task for each target.
func planTaskfile(root string, k *kit, alias string) (file, error) {
	var tasks []map[string]string
	for _, t := range k.targets {
		tasks = append(tasks, map[string]string{"Name": t.name, "Call": targetName(alias, t.name),
			"Desc": fmt.Sprintf("%q", strings.ToUpper(t.synopsis[:1])+t.synopsis[1:])})
	}
	text, err := render("Taskfile.yml.tmpl", tasks)
	if err != nil {
		return file{}, err
	}
	return wanted(root, "Taskfile.yml", text)
}
