package dockerfile

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/thimble-build/thimble/build/init/finding"
)

// instruction is one instruction with its place.
type instruction struct {
	finding.Place
	// last is its last line.
	last int
	text string
	// cmd is an instructions.Command or an *instructions.Stage; nil if err is set.
	cmd any
	err error
}

// stage is a FROM with the instructions below it.
type stage struct {
	from instruction
	def  *instructions.Stage
	body []instruction
	// base is the expanded name of the base, parent the stage of that name, if it is one.
	base   string
	parent *stage
	role   role
}

// role says what a stage is for.
type role int

const (
	// unused stages contribute nothing to an image.
	unused role = iota
	// builds makes something that an image copies.
	builds
	// ships is an image, or the stage that an image begins with.
	ships
)

// parse splits a Dockerfile into ARG instructions before the first FROM, and stages. An
// instruction that is not valid is kept with its error.
func parse(name string, text []byte) (before []instruction, stages []*stage, escape rune, err error) {
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	for _, node := range result.AST.Children {
		i := instruction{
			Place: finding.Place{File: name, Line: node.StartLine}, last: node.EndLine,
			text: strings.Join(strings.Fields(node.Original), " "),
		}
		if i.cmd, i.err = instructions.ParseInstruction(node); i.err != nil {
			i.cmd = nil // it may be a nil pointer of an instruction
		}
		switch def, isStage := i.cmd.(*instructions.Stage); {
		case isStage:
			stages = append(stages, &stage{from: i, def: def})
		case len(stages) == 0:
			before = append(before, i)
		default:
			s := stages[len(stages)-1]
			s.body = append(s.body, i)
		}
	}
	if len(stages) == 0 {
		return nil, nil, 0, fmt.Errorf("read %s: it has no FROM", name)
	}
	return before, stages, result.EscapeToken, nil
}

// script returns the shell commands of a RUN instruction, so that their lines are those of the
// file when first is added. args are the words of the exec form.
func (r *reader) script(i instruction, run *instructions.RunCommand) (text string, first int, args []string) {
	if !run.PrependShell {
		return "", i.Line, run.CmdLine
	}
	if len(run.Files) > 0 {
		if line := strings.TrimSpace(strings.Join(run.CmdLine, " ")); strings.HasPrefix(line, "<<") &&
			!strings.ContainsAny(line, " |;&") {
			return run.Files[0].Data, i.Line + 1, nil
		}
		return strings.Join(run.CmdLine, " "), i.Line, nil
	}
	if i.last > len(r.source) || i.Line < 1 {
		return strings.Join(run.CmdLine, " "), i.Line, nil
	}
	lines := append([]string(nil), r.source[i.Line-1:i.last]...)
	for n, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		trimmed := strings.TrimSpace(line)
		switch {
		case n > 0 && (trimmed == "" || strings.HasPrefix(trimmed, "#")): // Docker drops it
			line = "\\"
		case r.escape != '\\' && strings.HasSuffix(line, string(r.escape)):
			line = strings.TrimSuffix(line, string(r.escape)) + "\\"
		}
		lines[n] = line
	}
	text = strings.TrimLeft(strings.Join(lines, "\n"), " \t")
	text = text[min(len("RUN"), len(text)):]
	for { // flags
		trimmed := strings.TrimLeft(text, " \t\\\n")
		if !strings.HasPrefix(trimmed, "--") {
			break
		}
		end := strings.IndexAny(trimmed, " \t\n")
		if end < 0 {
			break
		}
		skipped := strings.Count(text[:len(text)-len(trimmed)+end], "\n")
		text = strings.Repeat("\\\n", skipped) + trimmed[end:]
	}
	return text, i.Line, nil
}
