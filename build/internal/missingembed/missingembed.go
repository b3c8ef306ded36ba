// Package missingembed explains the go command's error about a //go:embed pattern that matches no
// file. Usually the files are made by a frontend's build, which Config.Before has to run.
package missingembed

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Error says which files are missing, and which command should make them.
type Error struct {
	// File and Line are the place of the directive, File relative to the module's folder.
	File, Line string
	// Pattern is relative to that folder.
	Pattern string
	advice  string
	// Err is the error of the stage.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("embed %s: %s:%s needs it, and there is no such file; %s", e.Pattern,
		e.File, e.Line, e.advice)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var missing = regexp.MustCompile(`(?m)(\S+\.go):(\d+):\d+: pattern (.+): no matching files found\s*$`)

// Explain returns an *Error instead of an error with the go command's message. Others are
// returned unchanged. dir is the module's folder, before is Config.Before.
func Explain(err error, dir string, before [][]string) error {
	if err == nil {
		return nil
	}
	found := missing.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	e := &Error{File: filepath.ToSlash(found[1]), Line: found[2], Err: err}
	e.Pattern = path.Join(path.Dir(e.File), strings.TrimPrefix(found[3], "all:"))
	switch command, ok := frontend(dir, e.Pattern); {
	case len(before) > 0:
		var commands []string
		for _, c := range before {
			commands = append(commands, strings.Join(c, " "))
		}
		e.advice = "Config.Before ran, and did not make it: " + strings.Join(commands, "; ")
	case ok:
		e.advice = "let Config.Before make it:\n\n    Before: [][]string{{" + quoted(command) + "}},"
	default:
		e.advice = "commit it, or let Config.Before run the command that makes it, such as\n\n    Before: " +
			"[][]string{{\"make\", \"assets\"}},"
	}
	return e
}

func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, fmt.Sprintf("%q", w))
	}
	return strings.Join(all, ", ")
}

// frontend returns the command for the nearest package.json above the pattern, in the module's
// folder, that has a script "build".
func frontend(dir, pattern string) (command []string, ok bool) {
	if !filepath.IsLocal(filepath.FromSlash(pattern)) {
		return nil, false
	}
	for at := path.Dir(pattern); ; at = path.Dir(at) {
		var p struct{ Scripts map[string]string }
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(at), "package.json"))
		if err == nil && json.Unmarshal(text, &p) == nil && p.Scripts["build"] != "" {
			script := "npm install && npm run build"
			for _, manager := range [][2]string{
				{"package-lock.json", "npm ci && npm run build"},
				{"yarn.lock", "yarn install --frozen-lockfile && yarn run build"},
				{"pnpm-lock.yaml", "pnpm install --frozen-lockfile && pnpm run build"},
			} {
				if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(at), manager[0])); err == nil {
					script = manager[1]
				}
			}
			if at != "." {
				script = "cd " + at + " && " + script
			}
			return []string{"sh", "-c", script}, true
		}
		if at == "." {
			return nil, false
		}
	}
}
