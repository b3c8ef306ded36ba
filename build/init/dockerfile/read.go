package dockerfile

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// reader reads one Dockerfile.
type reader struct {
	name    string
	files   finding.Files
	mains   []finding.Main
	source  []string // the lines of the file
	escape  rune
	lex     *shell.Lex
	context buildContext
	before  []instruction
	meta    map[string]string // ARG before the first FROM
	// given are values that a Makefile gives to ARG.
	given  map[string]string
	stages []*stage
	states map[*stage]*state
	lines  []*finding.Line
	// programs are the binaries of the images, by the index of their main package.
	programs []finding.Program
}

// Read reads a Dockerfile. mains are the main packages of the repository. args are values that a
// Makefile gives to build arguments: they replace missing defaults and placeholders.
func Read(name string, text []byte, files finding.Files, mains []finding.Main,
	args map[string]string) (finding.Source, error) {
	r := &reader{
		name: name, files: files, mains: mains, source: strings.Split(string(text), "\n"),
		meta: map[string]string{}, given: args, states: map[*stage]*state{},
	}
	var err error
	if r.before, r.stages, r.escape, err = parse(name, text); err != nil {
		return finding.Source{}, err
	}
	r.lex = shell.NewLex(r.escape)
	r.lex.SkipUnsetEnv = false
	r.context = openContext(files, chooseContext(files, name, copied(r.stages)), name)
	r.arguments()
	shipped := r.roles()
	for _, s := range r.stages {
		r.evaluate(s)
	}
	for _, s := range shipped {
		r.ship(s)
	}
	out := finding.Source{Kind: finding.Dockerfile, File: name, Programs: r.programs}
	if len(r.programs) == 0 {
		for _, l := range r.lines {
			l.Outcome, l.Reason, l.Write, l.Setting = finding.NotNeeded,
				"no image of it ships a program of this repository", "", ""
		}
	}
	for _, l := range r.lines {
		out.Lines = append(out.Lines, *l)
	}
	out.Prepared = r.prepared()
	slices.SortStableFunc(out.Lines, func(a, b finding.Line) int { return cmp.Compare(a.Line, b.Line) })
	return out, nil
}

// arguments reads the ARG instructions before the first FROM.
func (r *reader) arguments() {
	for _, i := range r.before {
		if arg, ok := i.cmd.(*instructions.ArgCommand); ok {
			for _, a := range arg.Args {
				if a.Value != nil {
					r.meta[a.Key] = r.plain(*a.Value, r.meta)
				}
				r.give(a.Key, r.meta)
			}
			r.say(i, finding.NotNeeded, "a build argument; its default is used where it is named")
			continue
		}
		r.invalid(i)
	}
}

// give sets a build argument without a useful default to the value that a Makefile gives it.
func (r *reader) give(name string, vars map[string]string) {
	value, ok := r.given[name]
	if now := vars[name]; ok && (stamp.Placeholder(now) ||
		strings.Contains(strings.ToLower(now), "placeholder")) {
		vars[name] = value
	}
}

// roles decides what each stage is for, and returns the stages that are images.
func (r *reader) roles() []*stage {
	used := map[*stage]bool{} // by another stage
	for at, s := range r.stages {
		s.base = r.plain(s.def.BaseName, r.meta)
		s.parent = r.stageNamed(s.base, at)
		used[s.parent] = true
		for _, from := range s.copiesFrom(r) {
			used[from] = true
		}
	}
	var shipped []*stage
	for at, s := range r.stages {
		if at == len(r.stages)-1 || !used[s] && s.starts() {
			shipped = append(shipped, s)
		}
	}
	for _, s := range shipped {
		for p := s; p != nil; p = p.parent {
			p.role = ships
		}
	}
	for changed := true; changed; {
		changed = false
		for _, s := range r.stages {
			if s.role == unused {
				continue
			}
			for _, from := range s.copiesFrom(r) {
				for p := from; p != nil; p = p.parent {
					if p.role == unused {
						p.role, changed = builds, true
					}
				}
			}
		}
	}
	return shipped
}

// starts reports whether a stage says how its image is run.
func (s *stage) starts() bool {
	return slices.ContainsFunc(s.body, func(i instruction) bool {
		switch i.cmd.(type) {
		case *instructions.CmdCommand, *instructions.EntrypointCommand:
			return true
		}
		return false
	})
}

// stageNamed returns the stage with a name or number before the stage with an index.
func (r *reader) stageNamed(name string, before int) *stage {
	for at := before - 1; at >= 0; at-- {
		if s := r.stages[at]; strings.EqualFold(s.def.Name, name) && name != "" {
			return s
		}
	}
	for at := range min(before, len(r.stages)) {
		if name == itoa(at) {
			return r.stages[at]
		}
	}
	return nil
}

// copiesFrom returns the stages from which a stage copies or mounts.
func (s *stage) copiesFrom(r *reader) []*stage {
	var all []*stage
	add := func(name string) {
		if from := r.stageNamed(r.plain(name, r.meta), slices.Index(r.stages, s)); from != nil {
			all = append(all, from)
		}
	}
	for _, i := range s.body {
		switch c := i.cmd.(type) {
		case *instructions.CopyCommand:
			if c.From != "" {
				add(c.From)
			}
		case *instructions.RunCommand:
			for _, word := range strings.Fields(i.text) {
				if options, ok := strings.CutPrefix(word, "--mount="); ok {
					for option := range strings.SplitSeq(options, ",") {
						if from, ok := strings.CutPrefix(option, "from="); ok {
							add(from)
						}
					}
				}
			}
		}
	}
	return all
}

// main returns the index of the main package in a folder of the repository, or -1.
func (r *reader) main(folder string) int {
	return slices.IndexFunc(r.mains, func(m finding.Main) bool { return m.Folder() == path.Clean(folder) })
}

// say adds the outcome of an instruction.
func (r *reader) say(i instruction, o finding.Outcome, reason string) *finding.Line {
	return r.sayAt(i.Place, i.text, o, reason)
}

func (r *reader) sayAt(at finding.Place, text string, o finding.Outcome, reason string) *finding.Line {
	l := &finding.Line{Place: at, Text: text, Outcome: o, Reason: reason}
	r.lines = append(r.lines, l)
	return l
}

// byHand adds an instruction that the user has to replace. setting is where the comment goes.
func (r *reader) byHand(i instruction, setting, reason, write string) *finding.Line {
	l := r.say(i, finding.ByHand, reason)
	l.Setting, l.Write = setting, write
	return l
}

func (r *reader) invalid(i instruction) {
	reason := "it has no meaning here"
	if i.err != nil {
		reason = "it is not valid: " + firstLine(i.err.Error())
	}
	r.byHand(i, "", reason, "")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
