package dockerfile

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"

	"github.com/thimble-build/thimble/build/init/finding"
)

// copying is a COPY or an ADD with expanded arguments.
type copying struct {
	instruction
	from     string // a stage, an image, or "" for the context
	sources  []string
	contents []instructions.SourceContent
	target   string // absolute; with a slash at the end if it is a folder
	mode     uint32
	uid, gid int
	parents  bool
	exclude  func(name string) bool
	add      bool
	// unclear says that --chmod or --chown could not be understood.
	unclear string
}

// copying expands a COPY or an ADD in a stage.
func (r *reader) copying(i instruction, st *state) copying {
	c := copying{instruction: i, exclude: func(string) bool { return false }}
	var dest, chmod, chown string
	var exclude []string
	switch cmd := i.cmd.(type) {
	case *instructions.CopyCommand:
		c.from, c.sources, c.contents, dest, c.parents = r.plain(cmd.From, r.meta), cmd.SourcePaths,
			cmd.SourceContents, cmd.DestPath, cmd.Parents
		chmod, chown, exclude = cmd.Chmod, cmd.Chown, cmd.ExcludePatterns
	case *instructions.AddCommand:
		c.sources, c.contents, dest, c.add = cmd.SourcePaths, cmd.SourceContents, cmd.DestPath, true
		chmod, chown, exclude = cmd.Chmod, cmd.Chown, cmd.ExcludePatterns
	}
	c.sources = slices.Clone(c.sources)
	for n := range c.sources {
		c.sources[n] = r.plain(c.sources[n], st.vars)
	}
	dest = r.plain(dest, st.vars)
	c.target = st.abs(dest)
	isFolder := strings.HasSuffix(dest, "/") || dest == "." || strings.HasSuffix(dest, "/.") ||
		len(c.sources)+len(c.contents) > 1 || st.isFolder(c.target) ||
		slices.ContainsFunc(c.sources, func(s string) bool { return strings.ContainsAny(s, "*?[") })
	if isFolder && c.target != "/" {
		c.target += "/"
	}
	if chmod = r.plain(chmod, st.vars); chmod != "" {
		if mode, ok := octal(chmod); ok {
			c.mode = mode
		} else if mode, ok := symbolic(chmod, 0o644); ok {
			c.mode = mode
		} else {
			c.unclear = "--chmod=" + chmod
		}
	}
	if chown = r.plain(chown, st.vars); chown != "" {
		var ok bool
		if c.uid, c.gid, ok = st.accounts.owner(chown); !ok {
			c.unclear = "--chown=" + chown
		}
	}
	if m, err := patternmatcher.New(exclude); err == nil && len(exclude) > 0 {
		c.exclude = func(name string) bool {
			ok, err := m.MatchesOrParentMatches(strings.TrimPrefix(strings.TrimPrefix(name, r.context.folder),
				"/"))
			return ok && err == nil
		}
	}
	return c
}

func octal(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 8, 32)
	return uint32(n), err == nil && n <= 0o7777
}

// usual are folders that the usual bases have.
var usual = []string{"/", "/bin", "/sbin", "/lib", "/etc", "/opt", "/tmp", "/root", "/home", "/srv", "/usr",
	"/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/bin", "/usr/share", "/usr/lib", "/var", "/var/lib",
	"/var/log", "/var/run", "/run", "/mnt", "/media"}

// isFolder reports whether a path of the stage is a folder.
func (st *state) isFolder(p string) bool {
	p = path.Clean(p)
	if p == st.workdir || st.base != "scratch" && slices.Contains(usual, p) || p == "/" {
		return true
	}
	return slices.ContainsFunc(st.entries, func(e entry) bool {
		return strings.HasPrefix(e.target, p+"/") || e.target == p &&
			(e.kind == folder || strings.HasSuffix(e.source, "/"))
	})
}

// result collects what the sources of a COPY became.
type result struct {
	assets, programs, systems int
	binary                    string // of the last program
	problems, writes          []string
	generated                 bool
}

// copyImage handles COPY and ADD in a stage that is an image.
func (r *reader) copyImage(c copying, st *state) {
	line := r.say(c.instruction, finding.Imported, "Assets")
	var res result
	for range c.contents {
		res.problem("a file that stands in the Dockerfile",
			"commit it as a file, and copy it with Assets: {Source: "+quote(path.Base(c.into("file")))+
				", Target: "+quote(c.into("file"))+"}")
	}
	for _, source := range c.sources {
		switch {
		case c.add && (strings.Contains(source, "://") || strings.HasPrefix(source, "git@")):
			r.addURL(c, st, source, line, &res)
		case c.from == "":
			r.fromContext(c, st, source, line, &res)
		default:
			at := slices.Index(r.stages, st.stage)
			if from := r.stageNamed(c.from, at); from != nil {
				r.fromStage(c, st, r.states[from], source, line, &res)
			} else {
				r.fromImage(c, st, source, line, &res)
			}
		}
	}
	if c.unclear != "" && res.assets > 0 {
		res.problem(c.unclear+" is not a number and not a user of the Dockerfile",
			"set UID, GID and Mode of the asset")
	}
	switch {
	case len(res.problems) > 0:
		line.Outcome, line.Setting = finding.ByHand, "Assets"
		line.Reason, line.Write = strings.Join(res.problems, "; "), strings.Join(res.writes, "; ")
	case res.assets > 0 && res.generated:
		line.Reason = "Assets, and Before, which makes them"
	case res.assets > 0:
	case res.programs > 0:
		line.Outcome, line.Reason = finding.NotNeeded, "thimble compiles it: /app/"+res.binary
	case res.systems > 0:
		line.Outcome, line.Reason = finding.NotNeeded, "thimble adds it if the binary needs it"
	default:
		line.Outcome, line.Reason = finding.NotNeeded, "it copies nothing that git has"
	}
}

func (res *result) problem(reason, write string) {
	if !slices.Contains(res.problems, reason) {
		res.problems = append(res.problems, reason)
	}
	if write != "" {
		res.writes = append(res.writes, write)
	}
}

// into returns the path of a source in the image.
func (c copying) into(source string) string {
	if strings.HasSuffix(c.target, "/") {
		if c.parents {
			return path.Join(c.target, source)
		}
		return path.Join(c.target, path.Base(path.Clean(source)))
	}
	return c.target
}

func (c copying) entry(k kind, target string, line *finding.Line) entry {
	return entry{kind: k, target: path.Clean(target), mode: c.mode, uid: c.uid, gid: c.gid,
		from: c.Place, line: line}
}

// fromContext copies a source of the build context.
func (r *reader) fromContext(c copying, st *state, source string, line *finding.Line, res *result) {
	matched := r.context.match(source)
	kept := matched[:0:0]
	for _, m := range matched {
		if strings.HasSuffix(m, "/") || r.context.has(m) && !c.exclude(m) {
			kept = append(kept, m)
		}
	}
	if st.compiles && slices.ContainsFunc(kept, r.isSource) {
		r.sourceInImage(c, st, kept, res)
		return
	}
	if len(kept) == 0 {
		if at := r.programNamed(source); at >= 0 {
			e := c.entry(program, c.into(source), line)
			e.main = at
			st.put(e)
			res.programs++
			res.binary = strings.ToLower(r.mains[at].Binary)
			return
		}
		if len(matched) > 0 {
			res.problem(source+" is excluded by .dockerignore", "")
			return
		}
		if strings.ContainsAny(source, "*?[") {
			return
		}
		target := c.into(source)
		res.problem(source+" is not in git: it is ignored, or something makes it",
			"make it with Before, and copy it: {Source: "+
				quote(strings.TrimPrefix(path.Clean("/"+source), "/"))+", Target: "+quote(target)+"}")
		return
	}
	for _, name := range kept {
		if c.add && isArchive(name) {
			res.problem(name+" is an archive that ADD unpacks",
				"commit its content, and copy that with Assets")
			continue
		}
		r.copyFile(c, st, name, c.into(strings.TrimPrefix(name, r.context.folder+"/")), line, res)
	}
}

// copyFile adds a file of the repository, or the content of a folder.
func (r *reader) copyFile(c copying, st *state, name, target string, line *finding.Line, res *result) {
	if !strings.HasSuffix(name, "/") {
		if certificate(name, target) {
			st.certs = append(st.certs, finding.Found(name, c.Place))
			if line.Reason == "Assets" {
				line.Reason = "CACertificates"
			}
			res.assets++
			return
		}
		e := c.entry(file, target, line)
		e.source = name
		st.put(e)
		res.assets++
		return
	}
	if !c.parents { // the content of a folder goes into the target itself
		target = path.Clean(c.target)
	}
	dir := path.Clean(name)
	split, ok := r.context.split(dir, c.exclude)
	if !ok {
		res.problem("it copies "+name+" without what .dockerignore excludes",
			"list the files and folders of it that the program reads as Assets")
		return
	}
	for _, s := range split {
		for dir := path.Dir(path.Join(target, s)); s != "./" && c.uid+c.gid > 0 && dir != "/" &&
			len(dir) >= len(target); dir = path.Dir(dir) {
			own := c.entry(folder, dir, line)
			own.mode = 0
			st.put(own)
		}
		e := c.entry(file, path.Join(target, s), line)
		e.source = path.Join(dir, s)
		if strings.HasSuffix(s, "/") {
			e.source += "/"
		}
		if path.Clean(e.source) == "." {
			res.problem("it copies the whole source tree",
				"list the files and folders that the program reads as Assets")
			return
		}
		st.put(e)
		res.assets++
	}
}

// isSource reports whether a file or folder is Go source.
func (r *reader) isSource(name string) bool {
	base := path.Base(name)
	if base == "go.mod" || base == "go.sum" || base == "go.work" || strings.HasSuffix(base, ".go") ||
		base == "vendor" || path.Clean(name) == "." {
		return true
	}
	return strings.HasSuffix(name, "/") && slices.ContainsFunc(r.context.files.Under(name),
		func(n string) bool {
			return strings.HasSuffix(n, ".go") || path.Base(n) == "go.mod"
		})
}

// sourceInImage handles a COPY of source into an image that compiles it.
func (r *reader) sourceInImage(c copying, st *state, names []string, res *result) {
	for _, name := range names {
		e := c.entry(file, strings.TrimSuffix(c.target, "/"), nil)
		e.source = name
		if !strings.HasSuffix(name, "/") {
			e.target = c.into(name)
		}
		e.skip = func(n string) bool { return !r.context.has(n) }
		e.from = c.Place
		st.put(e)
		if path.Clean(name) == "." {
			if data := r.data(); len(data) > 0 {
				res.problem("the image contains the whole source tree",
					"if the program reads files of it, list them as Assets, for example {Source: "+
						quote(data[0])+", Target: "+quote(path.Join(c.target, data[0]))+"}")
			}
		}
	}
}

// data returns folders and files at the root that programs often read.
func (r *reader) data() []string {
	words := []string{"static", "public", "templates", "template", "views", "assets", "web", "ui", "www",
		"html", "migrations", "config", "configs", "locales", "i18n", "data", "resources", "conf"}
	var all []string
	for _, w := range words {
		name := path.Join(r.context.folder, w)
		if under := r.files.Under(name); len(under) > 0 &&
			slices.ContainsFunc(under, func(n string) bool { return !strings.HasSuffix(n, ".go") }) {
			all = append(all, w)
		}
	}
	return all
}

func isArchive(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".txz", ".tbz2"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// certificate reports whether a file is a CA certificate that the image should trust.
func certificate(name, target string) bool {
	end := path.Ext(name)
	return (strings.HasPrefix(target, "/usr/local/share/ca-certificates/") ||
		strings.HasPrefix(target, "/etc/pki/ca-trust/source/anchors/") ||
		strings.HasPrefix(target, "/etc/ssl/certs/")) && (end == ".crt" || end == ".pem" || end == ".cer")
}

// programNamed returns the main package whose program has the name of a path, or -1. Names with
// the platform count, such as api-linux-amd64.
func (r *reader) programNamed(p string) int {
	base := strings.ToLower(strings.TrimSuffix(path.Base(path.Clean("/"+p)), ".exe"))
	return r.binary(base)
}

func (r *reader) binary(base string) int {
	for _, end := range []string{"", "-linux", "_linux", "-amd64", "_amd64", ".linux", "-*"} {
		name := base
		if end != "" {
			var found bool
			if name, _, found = strings.Cut(base, end); !found {
				continue
			}
		}
		best := -1
		for i, m := range r.mains {
			if strings.ToLower(m.Binary) == name &&
				(best < 0 || len(m.Folder()) < len(r.mains[best].Folder())) {
				best = i
			}
		}
		if best >= 0 {
			return best
		}
	}
	return -1
}

func quote(s string) string { return strconv.Quote(s) }
