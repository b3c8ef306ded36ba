// Package before finds the commands of Config.Before: those of a build stage, such as npm run
// build, that can run in the source tree and make there what an image or the compiler needs. It
// takes the state of a stage, and returns commands for the root of the repository. It runs nothing.
package before

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/dockerfile/outcome"
	"github.com/thimble-build/thimble/build/init/dockerfile/state"
	"github.com/thimble-build/thimble/build/init/finding"
)

// Commands returns the folder or file of the source tree in which the commands of a stage make what
// is at a path of the stage, and these commands. A folder has a slash at the end. ok is false if a
// command of the stage cannot run in the source tree.
func Commands(p string, st *state.State, files finding.Files) (
	source string, before []finding.Value[[]string], ok bool) {
	if len(st.Prepared) == 0 {
		return "", nil, false
	}
	source, ok = st.FS.SourcePath(p)
	if !ok {
		return "", nil, false
	}
	byFolder := map[string][]string{}
	var folders []string
	for _, c := range st.Prepared {
		folder, ok := st.FS.SourcePath(path.Clean("/" + c.Dir))
		if !ok {
			return "", nil, false
		}
		var words []string
		for _, w := range c.Words {
			words = append(words, quote(w))
		}
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		byFolder[folder] = append(byFolder[folder], strings.Join(words, " "))
		outcome.Imported(c.Line, "Before")
	}
	for _, folder := range folders {
		text := strings.Join(byFolder[folder], " && ")
		if folder != "." {
			text = "cd " + quote(folder) + " && " + text
		}
		before = append(before, finding.Found([]string{"sh", "-c", text}, st.Prepared[0].Line.Place))
	}
	if len(files.Under(source)) == 0 && !files.Has(source) && path.Ext(source) == "" {
		return source + "/", before, true
	}
	if len(files.Under(source)) > 0 {
		source += "/"
	}
	return source, before, true
}

// CopyCommand returns the command that copies the content of a folder of the source tree to another.
func CopyCommand(from, to string) []string {
	return []string{"sh", "-c", "mkdir -p " + quote(to) + " && cp -R " + quote(from) + "/. " + quote(to)}
}

// Prepared returns the commands of all stages that run in the source tree and make files there.
func Prepared(states []*state.State) []finding.Prepared {
	var all []finding.Prepared
	for _, st := range states {
		for _, c := range st.Prepared {
			from := c.Line.Place
			dir, ok := st.FS.SourcePath(path.Clean("/" + c.Dir))
			if !ok || slices.ContainsFunc(all,
				func(p finding.Prepared) bool { return p.From == from && slices.Equal(p.Words, c.Words) }) {
				continue // a later stage begins with this one
			}
			all = append(all, finding.Prepared{From: from, Dir: dir, Words: c.Words})
		}
	}
	return all
}

// quote returns a word of a shell command.
func quote(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./@+") == "" &&
		word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
