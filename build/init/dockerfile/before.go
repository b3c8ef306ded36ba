package dockerfile

import (
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
)

// prepare returns the folder or file of the source tree in which the commands of a stage make
// what is at a path of the stage, and the commands for Config.Before. They run at the root of the
// repository. ok is false if a command of the stage cannot run there.
func (r *reader) prepare(st *state, p string) (source string, before []finding.Value[[]string], ok bool) {
	if len(st.prepared) == 0 {
		return "", nil, false
	}
	source, ok = r.treePath(st, p)
	if !ok {
		return "", nil, false
	}
	byFolder := map[string][]string{}
	var folders []string
	for _, c := range st.prepared {
		folder, ok := r.treePath(st, path.Clean("/"+c.dir))
		if !ok {
			return "", nil, false
		}
		var words []string
		for _, w := range c.words {
			words = append(words, typed(w))
		}
		if !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		byFolder[folder] = append(byFolder[folder], strings.Join(words, " "))
		if c.line != nil {
			c.line.Outcome, c.line.Reason = finding.Imported, "Before"
		}
	}
	for _, folder := range folders {
		text := strings.Join(byFolder[folder], " && ")
		if folder != "." {
			text = "cd " + typed(folder) + " && " + text
		}
		before = append(before, finding.Found([]string{"sh", "-c", text}, st.prepared[0].from))
	}
	if len(r.files.Under(source)) == 0 && !r.files.Has(source) && path.Ext(source) == "" {
		return source + "/", before, true
	}
	if len(r.files.Under(source)) > 0 {
		source += "/"
	}
	return source, before, true
}

// prepared returns the commands of all stages that run in the source tree and make files there.
func (r *reader) prepared() []finding.Prepared {
	var all []finding.Prepared
	for _, s := range r.stages {
		st := r.states[s]
		if st == nil {
			continue
		}
		for _, c := range st.prepared {
			dir, ok := r.treePath(st, path.Clean("/"+c.dir))
			if !ok || slices.ContainsFunc(all,
				func(p finding.Prepared) bool { return p.From == c.from && slices.Equal(p.Words, c.words) }) {
				continue // a later stage begins with this one
			}
			all = append(all, finding.Prepared{From: c.from, Dir: dir, Words: c.words})
		}
	}
	return all
}
