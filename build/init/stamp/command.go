package stamp

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Repository is what commands ask about that stands in the repository.
type Repository struct {
	// Module is the path of the module.
	Module string
	// Read returns a file of the repository, relative to the folder of the command.
	Read func(name string) (string, bool)
}

// Command translates a shell command whose output is used: `git describe --tags | sed s/^v//`.
// It runs nothing.
func Command(script string, repo Repository) (template string, ok bool) {
	f, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil || len(f.Stmts) == 0 {
		return "", false
	}
	// "cd folder; git describe": the last statement prints
	return statement(f.Stmts[len(f.Stmts)-1].Cmd, repo)
}

func statement(c syntax.Command, repo Repository) (string, bool) {
	switch c := c.(type) {
	case *syntax.CallExpr:
		return call(literals(c.Args), repo)
	case *syntax.Subshell:
		if len(c.Stmts) > 0 {
			return statement(c.Stmts[len(c.Stmts)-1].Cmd, repo)
		}
	case *syntax.Block:
		if len(c.Stmts) > 0 {
			return statement(c.Stmts[len(c.Stmts)-1].Cmd, repo)
		}
	case *syntax.BinaryCmd:
		switch c.Op {
		case syntax.OrStmt: // git describe || echo unknown
			return statement(c.X.Cmd, repo)
		case syntax.AndStmt: // cd folder && git describe
			return statement(c.Y.Cmd, repo)
		case syntax.Pipe:
			from, ok := statement(c.X.Cmd, repo)
			filter, isCall := c.Y.Cmd.(*syntax.CallExpr)
			if ok && isCall {
				return filtered(from, literals(filter.Args))
			}
		}
	}
	return "", false
}

// literals returns the words of a command. A word that is not plain text is "$".
func literals(words []*syntax.Word) []string {
	var all []string
	for _, w := range words {
		text, plain := "", true
		for _, part := range w.Parts {
			switch p := part.(type) {
			case *syntax.Lit:
				text += strings.ReplaceAll(p.Value, `\`, "")
			case *syntax.SglQuoted:
				text += p.Value
			case *syntax.DblQuoted:
				for _, q := range p.Parts {
					if lit, ok := q.(*syntax.Lit); ok {
						text += lit.Value
					} else {
						plain = false
					}
				}
			default:
				plain = false
			}
		}
		if !plain {
			text += "$"
		}
		all = append(all, text)
	}
	return all
}

func call(args []string, repo Repository) (string, bool) {
	for len(args) > 0 && (slices.Contains([]string{"command", "env", "exec"}, args[0]) ||
		strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "-")) {
		args = args[1:]
	}
	if len(args) == 0 {
		return "", false
	}
	has := func(wanted ...string) bool {
		return slices.ContainsFunc(args, func(a string) bool {
			return slices.ContainsFunc(wanted, func(w string) bool {
				return a == w || strings.HasSuffix(w, "=") && strings.HasPrefix(a, w)
			})
		})
	}
	switch name := args[0]; name[strings.LastIndex(name, "/")+1:] {
	case "git":
		return git(args[1:], has)
	case "date", "gdate":
		if has("+%s") {
			return "{{.Timestamp}}", true
		}
		return "{{.Date}}", true
	case "go", "$":
		if len(args) > 2 && args[1] == "list" && !strings.Contains(strings.Join(args, " "), "{{") {
			last := args[len(args)-1]
			switch {
			case repo.Module == "":
			case args[2] == "-m" && len(args) == 3, last == "." || last == "list":
				return repo.Module, true
			case strings.HasPrefix(last, "./"):
				return strings.TrimSuffix(repo.Module+last[1:], "/"), true
			}
		}
	case "cat", "head", "<":
		last := args[len(args)-1]
		if repo.Read == nil || strings.HasPrefix(last, "-") || last == name {
			break
		}
		text, ok := repo.Read(last)
		if !ok {
			break
		}
		base := strings.ToLower(last[strings.LastIndex(last, "/")+1:])
		if strings.Contains(base, "version") { // a release of this version has this tag
			if strings.HasPrefix(strings.TrimSpace(text), "v") {
				return "{{.Tag}}", true
			}
			return "{{.Version}}", true
		}
		if text = strings.TrimSpace(text); !strings.Contains(text, "\n") && !strings.Contains(text, "{{") {
			return text, true
		}
	case "echo", "printf":
		text := strings.Join(args[1:], " ")
		if name == "echo" && !strings.Contains(text, "$") && len(args) > 1 &&
			!strings.HasPrefix(args[1], "-") {
			return text, true
		}
	}
	return "", false
}

// git translates a git command.
func git(args []string, has func(...string) bool) (string, bool) {
	for len(args) > 1 && (args[0] == "-C" || args[0] == "-c") {
		args = args[2:]
	}
	for len(args) > 0 && (strings.HasPrefix(args[0], "--git-dir") || args[0] == "--no-pager") {
		args = args[1:]
	}
	if len(args) == 0 {
		return "", false
	}
	all := strings.Join(args, " ")
	switch args[0] {
	case "describe":
		if strings.Contains(all, "--exclude=*") || strings.Contains(all, "--exclude *") {
			return "{{.ShortCommit}}", true
		}
		return "{{.Tag}}", true
	case "tag":
		if has("--points-at", "--contains", "--points-at=", "--sort=", "-l", "--list") {
			return "{{.Tag}}", true
		}
	case "rev-parse":
		switch {
		case has("--abbrev-ref", "--show-toplevel", "--is-inside-work-tree", "--git-dir"):
			return "", false
		case has("--short", "--short="):
			return "{{.ShortCommit}}", true
		case has("HEAD", "@", "HEAD^{commit}", "--verify"):
			return "{{.Commit}}", true
		}
	case "rev-list":
		if has("-1", "-n1", "--max-count=1") || strings.Contains(all, "-n 1") {
			if has("--abbrev-commit") {
				return "{{.ShortCommit}}", true
			}
			return "{{.Commit}}", true
		}
	case "log", "show":
		for _, f := range []struct{ format, template string }{
			{"%H", "{{.Commit}}"}, {"%h", "{{.ShortCommit}}"}, {"%ct", "{{.CommitTimestamp}}"},
			{"%at", "{{.CommitTimestamp}}"},
			{"%cI", "{{.CommitDate}}"}, {"%cd", "{{.CommitDate}}"}, {"%ci", "{{.CommitDate}}"},
			{"%ad", "{{.CommitDate}}"}, {"%aI", "{{.CommitDate}}"}, {"%cs", "{{.CommitDate}}"},
		} {
			for _, a := range args {
				if format, ok := strings.CutPrefix(a, "--pretty="); ok || strings.HasPrefix(a, "--format=") {
					format = strings.TrimPrefix(format, "--format=")
					format = strings.Trim(strings.TrimPrefix(strings.TrimPrefix(format, "format:"),
						"tformat:"), `'"`)
					if format == f.format {
						return f.template, true
					}
				}
			}
		}
	}
	return "", false
}

// filtered translates a filter behind a command.
func filtered(from string, args []string) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	rest := strings.Join(args[1:], " ")
	switch name := args[0]; name {
	case "head", "tail", "xargs", "sort":
		return from, true
	case "awk", "grep":
		return from, !strings.HasPrefix(from, "{{")
	case "tr":
		if strings.Contains(rest, "-d") && strings.Contains(rest, "v") {
			return withoutV(from)
		}
		spaces := strings.Contains(rest, `\n`) || strings.Contains(rest, "[:space:]") || rest == "-d n"
		return from, spaces || strings.Contains(rest, `"`)
	case "sed", "cut":
		switch strings.Trim(strings.NewReplacer("-e ", "", "-E ", "", "-r ", "").Replace(rest), `'"`) {
		case "s/^v//", "s/v//", "s/^v//g", "s/v//g", "s|^v||", "s,^v,,", "s#^v##",
			"-c2-", "-c 2-", "-b2-", "-dv -f2", "-d v -f 2", "-d v -f2", "-dv -f2-":
			return withoutV(from)
		case "-c1-7", "-c -7", "-c-7", "-c1-8", "-c 1-7", "-c 1-8", "-c1-12":
			if from == "{{.Commit}}" {
				return "{{.ShortCommit}}", true
			}
		case "s/-dirty//", "s/-.*//":
			return from, true
		}
	}
	return "", false
}

// withoutV returns the template of a version without its leading v.
func withoutV(from string) (string, bool) {
	if from == "{{.Version}}" || from == "{{.Tag}}" {
		return "{{.Version}}", true
	}
	return "", false
}

// WithoutV removes the v in front of a version template, as ${VERSION#v} does. Other text is
// returned without a leading v.
func WithoutV(text string) string {
	if t, ok := withoutV(text); ok {
		return t
	}
	if strings.HasPrefix(text, "{{.Tag}}") {
		return "{{.Version}}" + strings.TrimPrefix(text, "{{.Tag}}")
	}
	return strings.TrimPrefix(text, "v")
}
