package syntax

import (
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Shell is what a RUN instruction runs.
type Shell struct {
	// Text are shell commands. Their first line is line First of the file.
	Text  string
	First int
	// Words is the exec form; nil for shell commands.
	Words []string
}

// Shell returns what a RUN instruction runs.
func (f *File) Shell(i Instruction, run *instructions.RunCommand) Shell {
	if !run.PrependShell {
		return Shell{First: i.Line, Words: run.CmdLine}
	}
	if len(run.Files) > 0 {
		if line := strings.TrimSpace(strings.Join(run.CmdLine, " ")); strings.HasPrefix(line, "<<") &&
			!strings.ContainsAny(line, " |;&") {
			return Shell{Text: run.Files[0].Data, First: i.Line + 1}
		}
		return Shell{Text: strings.Join(run.CmdLine, " "), First: i.Line}
	}
	if i.Last > len(f.text) || i.Line < 1 {
		return Shell{Text: strings.Join(run.CmdLine, " "), First: i.Line}
	}
	lines := append([]string(nil), f.text[i.Line-1:i.Last]...)
	for n, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		trimmed := strings.TrimSpace(line)
		switch {
		case n > 0 && (trimmed == "" || strings.HasPrefix(trimmed, "#")): // Docker drops it
			line = "\\"
		case f.escape != '\\' && strings.HasSuffix(line, string(f.escape)):
			line = strings.TrimSuffix(line, string(f.escape)) + "\\"
		}
		lines[n] = line
	}
	text := strings.TrimLeft(strings.Join(lines, "\n"), " \t")
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
	return Shell{Text: text, First: i.Line}
}
