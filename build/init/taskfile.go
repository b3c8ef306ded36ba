package main

import (
	"fmt"
	"strings"

	"github.com/thimble-build/thimble/build/init/kitmodule"
)

// planTaskfile returns a Taskfile with a task for each target.
func planTaskfile(root string, k *kitmodule.Kit, alias string) (file, error) {
	var tasks []map[string]string
	for _, t := range k.Targets {
		tasks = append(tasks, map[string]string{"Name": t.Name, "Call": targetName(alias, t.Name),
			"Desc": fmt.Sprintf("%q", strings.ToUpper(t.Synopsis[:1])+t.Synopsis[1:])})
	}
	text, err := render("Taskfile.yml.tmpl", tasks)
	if err != nil {
		return file{}, err
	}
	return wanted(root, "Taskfile.yml", text)
}

// targetName returns a target's name as typed: with the alias of the targets, if they have one.
func targetName(alias, name string) string {
	if alias == "" {
		return name
	}
	return alias + ":" + name
}
