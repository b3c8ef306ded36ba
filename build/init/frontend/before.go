package frontend

import (
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/thimble-build/thimble/build/init/finding"
	"github.com/thimble-build/thimble/build/init/makefile"
	"github.com/thimble-build/thimble/build/init/script"
	"github.com/thimble-build/thimble/build/init/stamp"
)

// makers are programs that make the files of a frontend.
var makers = []string{
	"npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx", "deno", "node", "corepack", "vite", "webpack",
	"esbuild", "tsc", "hugo", "gulp", "grunt", "sass",
	"tailwindcss", "./tailwindcss", "templ", "trunk", "wasm-pack", "elm", "parcel", "rollup",
}

func makes(c script.Command) bool { return slices.Contains(makers, path.Base(c.Words[0])) }

// Before returns the commands that make an embedded folder, for Config.Before, which run in the
// folder of the module. They are those of a Dockerfile, else of a target of a Makefile, else of
// package.json. It returns nil if no file says how the folder is made.
func Before(e Embed, module string, prepared []finding.Prepared, makefiles []*makefile.File,
	files finding.Files) []finding.Value[[]string] {
	if before := fromDockerfile(e, module, prepared); len(before) > 0 {
		return before
	}
	for _, f := range makefiles {
		if commands := fromMakefile(e, f); len(commands) > 0 {
			before := joined(commands, module)
			if !slices.ContainsFunc(commands, func(c makefile.Command) bool { return installs(c.Command) }) {
				before = slices.Concat(modules(folderOf(commands[0].Command), module, files), before)
			}
			return before
		}
	}
	return fromPackage(e, module, files)
}

// fromDockerfile returns the commands of the first Dockerfile that make the folder.
func fromDockerfile(e Embed, module string, prepared []finding.Prepared) []finding.Value[[]string] {
	var all []finding.Value[[]string]
	builds := false
	for _, p := range prepared {
		c := script.Command{Dir: p.Dir, Words: p.Words}
		if !makes(c) || !makesAt(e, folderOf(c)) || len(all) > 0 && all[0].From.File != p.From.File {
			continue
		}
		builds = builds || !installs(c)
		words := p.Words
		if !installs(c) {
			words = intoFolder(e, p.Dir, words)
		}
		all = append(all, finding.Found(inFolder(relativeTo(module, p.Dir), words), p.From))
	}
	if !builds {
		return nil
	}
	return all
}

// outputs are the flags of bundlers for the folder that they write to.
var outputs = []string{"--outDir", "--out-dir", "--outdir", "--output-path", "--output", "--dist-dir",
	"--destination", "-o", "-d"}

// intoFolder returns a command that writes to the embedded folder instead of to a folder of the
// build stage, such as /build.
func intoFolder(e Embed, dir string, words []string) []string {
	embedded := e.Path
	if i := strings.IndexAny(embedded, "*?["); i >= 0 {
		embedded = path.Dir(embedded[:i] + "x")
	}
	to, err := filepath.Rel(filepath.FromSlash(path.Clean(dir)), filepath.FromSlash(embedded))
	if err != nil {
		return words
	}
	words = slices.Clone(words)
	for i, w := range words {
		flag, value, joined := strings.Cut(w, "=")
		switch {
		case joined && slices.Contains(outputs, flag) && path.IsAbs(value):
			words[i] = flag + "=" + filepath.ToSlash(to)
		case i > 0 && slices.Contains(outputs, words[i-1]) && path.IsAbs(w):
			words[i] = filepath.ToSlash(to)
		}
	}
	return words
}

var preferred = regexp.MustCompile(`(?i)(build|dist|assets|ui|web|front|js|static|client|generate)`)

// fromMakefile returns the commands of the smallest target that makes the folder.
func fromMakefile(e Embed, f *makefile.File) []makefile.Command {
	var best []makefile.Command
	for _, target := range f.Targets() {
		if others.MatchString(target) || !preferred.MatchString(target) && target != e.Path {
			continue
		}
		var found []makefile.Command
		about, builds := false, false
		for _, c := range f.Run(target) {
			if !makes(c.Command) {
				continue
			}
			if !makesAt(e, folderOf(c.Command)) {
				continue
			}
			about = true
			builds = builds || !installs(c.Command)
			found = append(found, c)
		}
		if about && builds && (best == nil || len(found) < len(best)) {
			best = found
		}
	}
	return best
}

var others = regexp.MustCompile(
	`(?i)(test|lint|format|fmt|check|dev|watch|serve|start|clean|update|audit|e2e|storybook)`)

// installs reports whether a command only loads modules.
func installs(c script.Command) bool {
	words := strings.Join(c.Words[1:], " ")
	for _, install := range []string{"install", "ci", "i", "enable", "add"} {
		if slices.Contains(c.Words[1:], install) {
			return true
		}
	}
	return words == "" && path.Base(c.Words[0]) == "yarn"
}

// folderOf returns the folder in which a command works: npm --prefix ui, yarn --cwd ui.
func folderOf(c script.Command) string {
	for i, w := range c.Words {
		for _, flag := range []string{"--prefix", "--cwd", "-C", "--dir"} {
			if value, ok := strings.CutPrefix(w, flag+"="); ok {
				return path.Join(c.Dir, value)
			}
			if w == flag && i+1 < len(c.Words) {
				return path.Join(c.Dir, c.Words[i+1])
			}
		}
	}
	return path.Clean(c.Dir)
}

// makesAt reports whether a frontend in a folder can make an embedded path: the path is below the
// folder, or both are below another one, such as web/ui and web/dist.
func makesAt(e Embed, folder string) bool {
	if folder == "." {
		return true
	}
	top, _, _ := strings.Cut(folder, "/")
	return strings.HasPrefix(e.Path+"/", top+"/")
}

// joined returns commands for Config.Before. It has no shell, so that a change of folder and
// variables need one.
func joined(commands []makefile.Command, module string) []finding.Value[[]string] {
	var all []finding.Value[[]string]
	for _, c := range commands {
		words := slices.Clone(c.Words)
		for i := range words {
			words[i] = stamp.Show(words[i])
		}
		all = append(all, finding.Found(inFolder(relativeTo(module, c.Dir), words), c.Place))
	}
	return all
}

// inFolder returns the words of a command that runs in a folder.
func inFolder(folder string, words []string) []string {
	if folder == "." {
		return words
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return []string{"sh", "-c", "cd " + quote(folder) + " && " + strings.Join(quoted, " ")}
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// relativeTo returns a folder of the repository relative to that of a module.
func relativeTo(module, folder string) string {
	folder = path.Clean(folder)
	if module == "" {
		return folder
	}
	if folder == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(folder, module+"/"); ok {
		return rest
	}
	return path.Join(strings.Repeat("../", strings.Count(module, "/")+1), folder)
}

// fromPackage returns the commands for the nearest package.json above an embedded folder that
// has a script "build".
func fromPackage(e Embed, module string, files finding.Files) []finding.Value[[]string] {
	for dir := path.Dir(path.Clean(e.Path)); ; dir = path.Dir(dir) {
		name := path.Join(dir, "package.json")
		text, err := files.Read(name)
		var p struct{ Scripts map[string]string }
		if err == nil && files.Has(name) && json.Unmarshal(text, &p) == nil && p.Scripts["build"] != "" {
			manager, _ := managerOf(dir, files)
			build := finding.Found(inFolder(relativeTo(module, dir), []string{manager, "run", "build"}),
				finding.Place{File: name})
			return append(modules(dir, module, files), build)
		}
		if dir == "." {
			return nil
		}
	}
}

// modules returns the command that loads the modules of the package.json in a folder.
func modules(dir, module string, files finding.Files) []finding.Value[[]string] {
	name := path.Join(dir, "package.json")
	if !files.Has(name) {
		return nil
	}
	_, install := managerOf(dir, files)
	return []finding.Value[[]string]{finding.Found(inFolder(relativeTo(module, dir), install),
		finding.Place{File: name})}
}

// managerOf returns the package manager of a folder, by its lock file, and its command that
// changes no lock file.
func managerOf(dir string, files finding.Files) (manager string, install []string) {
	switch {
	case files.Has(path.Join(dir, "pnpm-lock.yaml")):
		return "pnpm", []string{"pnpm", "install", "--frozen-lockfile"}
	case files.Has(path.Join(dir, "yarn.lock")):
		return "yarn", []string{"yarn", "install", "--frozen-lockfile"}
	case files.Has(path.Join(dir, "bun.lockb")), files.Has(path.Join(dir, "bun.lock")):
		return "bun", []string{"bun", "install", "--frozen-lockfile"}
	case files.Has(path.Join(dir, "package-lock.json")):
		return "npm", []string{"npm", "ci"}
	}
	return "npm", []string{"npm", "install"}
}
