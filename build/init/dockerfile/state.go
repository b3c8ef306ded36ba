package dockerfile

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/plan"
)

// setting is a value of an image with its instruction.
type setting[T any] struct {
	value T
	from  finding.Place
	line  *finding.Line // its outcome, which changes if a later line replaces it
}

// command is an ENTRYPOINT or a CMD.
type command struct {
	words []string
	// shell says that a shell runs words[0].
	shell bool
}

// named is a variable or a label.
type named struct{ name, value string }

// state is what the instructions of a stage have made so far.
type state struct {
	stage   *stage
	vars    map[string]string // ARG and ENV, for expansion
	workdir string
	user    string
	shell   []string
	base    string // the image at the end of the chain of stages
	from    finding.Place
	// fromLine is the outcome of its FROM, baseUser the user that the image has.
	fromLine *finding.Line
	baseUser string

	entries  []entry
	accounts accounts
	builds   []built
	// compiles says that this stage or one that it begins with compiles Go.
	compiles bool
	cgo      finding.Value[bool]
	compiler finding.Value[bool] // a C compiler is installed
	debian   []finding.Value[string]
	include  []finding.Value[string]
	before   []finding.Value[[]string]
	prepared []prepared
	certs    []finding.Value[string]

	entrypoint, cmd setting[command]
	env, labels     []setting[named]
	ports, volumes  []setting[string]
	userSet         setting[string]
	workdirSet      setting[string]
	stop            setting[string]
	health          setting[*plan.Healthcheck]
	links           []setting[[2]string] // path and target
}

// prepared is a command that makes files for the compiler or the image, such as npm run build.
type prepared struct {
	words []string
	dir   string // in the stage
	from  finding.Place
	line  *finding.Line
}

func newState(s *stage) *state {
	return &state{stage: s, vars: map[string]string{}, workdir: "/", base: s.base, from: s.from.Place}
}

// next returns a copy for a stage that begins with this one.
func (st *state) next(s *stage) *state {
	c := *st
	c.stage = s
	c.vars = maps.Clone(st.vars)
	c.entries, c.builds, c.env, c.labels = slices.Clone(st.entries), slices.Clone(st.builds),
		slices.Clone(st.env), slices.Clone(st.labels)
	c.ports, c.volumes = slices.Clone(st.ports), slices.Clone(st.volumes)
	c.debian, c.include, c.certs = slices.Clone(st.debian), slices.Clone(st.include), slices.Clone(st.certs)
	c.before, c.prepared = slices.Clone(st.before), slices.Clone(st.prepared)
	c.accounts = st.accounts.clone()
	return &c
}

// abs returns a path of the image.
func (st *state) abs(p string) string {
	if !path.IsAbs(p) {
		p = path.Join(st.workdir, p)
	}
	return path.Clean(p)
}

// kind says what is at a path of an image.
type kind int

const (
	program kind = iota // a program of the repository
	file                // a file or folder of the repository
	folder              // a folder without content
	system              // what thimble adds if the binary needs it
	other               // what only a command makes
)

// entry is what is at a path of an image.
type entry struct {
	kind   kind
	target string
	// main is the index of the program's main package. source is the file of the repository, a
	// folder if it has a slash at the end. why describes other.
	main   int
	source string
	why    string

	mode     uint32
	uid, gid int
	caps     []string
	from     finding.Place
	line     *finding.Line
	// changes are the lines that change its owner or mode.
	changes []*finding.Line
	// skip are the files below a folder that are not copied, relative to the root.
	skip func(name string) bool
}

// put adds an entry. It replaces one at the same path.
func (st *state) put(e entry) {
	if e.kind == folder { // one that exists stays
		if i := slices.IndexFunc(st.entries, func(o entry) bool { return o.target == e.target }); i >= 0 {
			return
		}
	}
	st.entries = slices.DeleteFunc(st.entries, func(o entry) bool {
		if o.target != e.target || o.kind == folder || e.kind == file && strings.HasSuffix(e.source, "/") {
			return false
		}
		if o.line != nil && o.line != e.line && o.line.Outcome == finding.Imported {
			o.line.Outcome, o.line.Reason = finding.NotNeeded, "line "+itoa(e.from.Line)+" replaces it"
		}
		return true
	})
	st.entries = append(st.entries, e)
}

// at returns what is at a path: an entry with that target, or the part of a folder of the
// repository. The latest entry wins.
func (st *state) at(r *reader, p string) (entry, bool) {
	p = path.Clean(p)
	for _, e := range slices.Backward(st.entries) {
		if e.target == p {
			return e, true
		}
		if e.kind != file || !strings.HasSuffix(e.source, "/") {
			continue
		}
		rel, below := strings.CutPrefix(p, strings.TrimSuffix(e.target, "/")+"/")
		if !below {
			continue
		}
		source := path.Join(e.source, rel)
		switch {
		case e.skip != nil && e.skip(source):
		case r.files.Has(source):
			e.target, e.source, e.skip = p, source, nil
			return e, true
		case len(r.files.Under(source)) > 0:
			e.target, e.source = p, source+"/"
			return e, true
		}
	}
	return entry{}, false
}

// under returns the entries at a path and below it.
func (st *state) under(p string) []*entry {
	prefix := strings.TrimSuffix(path.Clean(p), "/") + "/"
	var all []*entry
	for i := range st.entries {
		if e := &st.entries[i]; e.target == path.Clean(p) || strings.HasPrefix(e.target, prefix) {
			all = append(all, e)
		}
	}
	return all
}

// replaced marks the line of a setting that a later line replaces.
func replaced(l *finding.Line, by int) {
	if l != nil && l.Outcome != finding.ByHand {
		l.Outcome, l.Reason = finding.NotNeeded, "line "+itoa(by)+" replaces it"
	}
}

// setNamed adds or replaces a variable or a label.
func setNamed(list []setting[named], s setting[named]) []setting[named] {
	if i := slices.IndexFunc(list, func(
		o setting[named]) bool {
		return o.value.name == s.value.name
	}); i >= 0 {
		old := list[i].line
		list[i] = s
		if !slices.ContainsFunc(list, func(o setting[named]) bool { return o.line == old }) {
			replaced(old, s.from.Line)
		}
		return list
	}
	return append(list, s)
}
